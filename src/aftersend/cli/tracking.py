"""Tracking: servers, statistics, and lines that are wrong."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli import tracking_agents, tracking_explain, tracking_rejected, tracking_server
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json

__all__ = ["group"]

group = typer.Typer(help="Tracking servers and statistics.", no_args_is_help=True)
group.add_typer(tracking_server.group, name="server")
tracking_explain.register(group)
tracking_agents.register(group)
tracking_rejected.register(group)


@group.command()
def recompute(
    deliveries: Annotated[
        list[int] | None, typer.Argument(metavar="[DELIVERY_ID]...", show_default=False)
    ] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Compute delivery and tracking indicators anew; without ids, of all deliveries."""
    from aftersend.app import recompute as recompute_deliveries
    from aftersend.model.ids import DeliveryId

    ids = [DeliveryId(number) for number in deliveries] if deliveries else None
    count = recompute_deliveries(open_from(instance), ids)
    if is_json:
        print_json({"deliveries": count})
    else:
        typer.echo(f"Computed the indicators of {count:,} deliveries anew.")


@group.command("check-lines")
def check_lines(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Find lines that do not follow the format; exit status 1 if there are any."""
    from aftersend.tracking.check_lines import check_lines as check

    del instance  # the format is the same everywhere
    bad = list(check(files))
    if is_json:
        print_json([{"file": str(one.file), "line": one.line, "reason": one.reason} for one in bad])
    else:
        for one in bad:
            typer.echo(f"{one.file}:{one.line}: {one.reason}")
        typer.echo(f"{len(bad):,} lines do not follow the format.", err=True)
    if bad:
        raise typer.Exit(1)
