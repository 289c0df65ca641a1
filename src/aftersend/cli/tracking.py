"""Tracking: servers, statistics, and lines that are wrong."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    say,
)

__all__ = ["group"]

group = typer.Typer(help="Tracking servers and statistics.", no_args_is_help=True)
server = typer.Typer(help="Tracking servers besides the local one.", no_args_is_help=True)
group.add_typer(server, name="server")


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


@server.command()
def add(
    server_id: Annotated[str, typer.Option("--id", metavar="S")],
    internal_url: Annotated[str, typer.Option("--internal-url", metavar="U")],
    instance: InstanceOption = None,
) -> None:
    """Register a tracking server that runs elsewhere; again replaces its address."""
    from aftersend.app import post_office
    from aftersend.database import tracking_servers
    from aftersend.delivery.publish import introduce
    from aftersend.model.ids import ServerId

    opened = open_from(instance)
    with opened.database.write() as connection:
        tracking_servers.put(
            connection, server_id=server_id, internal_url=internal_url, at=opened.clock.now()
        )
    typer.echo(f"Tracking server {server_id} is registered at {internal_url}.")
    publication = introduce(post_office(opened), ServerId(server_id))
    if publication.missed:
        missed = publication.missed[0]
        say(
            f"It lacks {len(publication.missed):,} catalogues, because {missed.reason};"
            " every run of Tracking tries again."
        )


@server.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show the registered tracking servers."""
    from aftersend.database import tracking_servers

    with open_from(instance).database.read() as connection:
        rows = tracking_servers.every(connection)
    if is_json:
        print_json([{"id": row.id, "internal_url": row.internal_url} for row in rows])
    else:
        print_table(("Id", "Internal URL"), [(row.id, row.internal_url) for row in rows])
