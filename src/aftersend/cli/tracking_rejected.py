"""Lines that could not be loaded, and how far tracking servers have been read."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.operator_name import operator_name
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

if TYPE_CHECKING:
    from aftersend.model.ids import ServerId
    from aftersend.tracking.context import Context
    from aftersend.tracking.rejected import Repaired

__all__ = ["group", "register"]

group = typer.Typer(help="Lines that could not be loaded.", no_args_is_help=True)

ReasonOption = Annotated[
    str | None, typer.Option(metavar="REASON", help="Only lines rejected for this reason.")
]
ServerOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Only lines of this tracking server.")
]


def register(tracking: typer.Typer) -> None:
    """Add these commands to the group of tracking."""
    tracking.add_typer(group, name="rejected")
    tracking.command("pointer")(pointer)


@group.command("list")
def list_(
    reason: ReasonOption = None,
    server: ServerOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show lines that could not be loaded, newest first, and how many there are by reason."""
    from aftersend.tracking.rejected import listed

    lake = open_from(instance).lake()
    found = listed(lake, reason=reason, server=_server(server), limit=limit)
    if is_json:
        rows = [asdict(row) | {"data": row.data.decode(errors="replace")} for row in found.rows]
        print_json({"rows": rows, "total": found.total, "by_reason": dict(found.by_reason)})
        return
    print_table(
        ("Rejected (UTC)", "Server", "Segment", "Offset", "Reason", "Log id"),
        [
            (row.at, row.server, row.segment, row.offset, row.reason, row.log_id)
            for row in found.rows
        ],
    )
    typer.echo(f"{len(found.rows):,} of {found.total:,} rejected lines.", err=True)
    for name, count in sorted(found.by_reason.items()):
        typer.echo(f"  {name}: {count:,}", err=True)


@group.command()
def retry(
    reason: ReasonOption = None,
    server: ServerOption = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Load these repaired lines instead."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="SEGMENT:OFFSET",
            help="Where the rejected line stands that the one line of FILE repairs.",
        ),
    ] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Try rejected lines again, or load repaired ones in their place."""
    from aftersend.tracking import rejected
    from aftersend.tracking.context import Context

    context = Context.of(open_from(instance))
    if file is not None:
        if reason is not None or server is not None:
            raise typer.BadParameter("names the lines itself", param_hint="--from")
        _repair(context, file, at, is_json=is_json)
        return
    if at is not None:
        raise typer.BadParameter("goes with --from", param_hint="--at")
    done = rejected.retry(context, reason=reason, server=_server(server), operator=operator_name())
    if is_json:
        print_json(asdict(done))
        return
    left = sum(done.rejected.values())
    typer.echo(
        f"Tried {done.read:,} lines again: {done.loaded:,} loaded, {done.already:,} loaded before,"
        f" {left:,} rejected again."
    )
    for name, count in sorted(done.rejected.items()):
        typer.echo(f"  rejected, {name}: {count:,}")
    if done.loaded:
        typer.echo("The next run of the workflow tracking counts them.")


@group.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    reason: ReasonOption = None,
    server: ServerOption = None,
    instance: InstanceOption = None,
) -> None:
    """Write rejected lines into a file as they came, to repair them there."""
    from aftersend.errors import InvalidInput
    from aftersend.tracking.rejected import exported

    count = 0
    lines = exported(open_from(instance).lake(), reason=reason, server=_server(server))
    try:
        with file.open("xb") as stream:
            for line in lines:
                stream.write(line)
                count += 1
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    typer.echo(f"Wrote {count:,} lines into {file}.")


def pointer(
    server: Annotated[
        str | None, typer.Option(metavar="ID", help="Move the pointer of this server.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="LOG_ID", help="The last line that is not asked for.")
    ] = None,
    is_sure: Annotated[
        bool, typer.Option("--yes", help="Move it forward too, past lines that are then lost.")
    ] = False,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show how far each tracking server has been read; or move a pointer, with care."""
    from aftersend.tracking.context import Context
    from aftersend.tracking.pointer import move, pointers, skipped

    opened = open_from(instance)
    if server is None and to is None:
        found = pointers(opened.lake(), opened.var / "inbox")
        if is_json:
            print_json([asdict(each) for each in found])
        else:
            rows = [(each.server, each.log_id, each.number) for each in found]
            print_table(("Server", "Pointer", "Number"), rows)
        return
    if server is None or to is None:
        raise typer.BadParameter("--server and --to go together")
    context = Context.of(opened)
    lost = skipped(context.lake, to)
    if lost and not is_sure:
        raise typer.BadParameter(
            f"{lost:,} numbers would never be asked for; say --yes if that is meant",
            param_hint="--to",
        )
    moved = move(context, _named(server), to, operator=operator_name(), is_skipping=is_sure)
    if is_json:
        print_json(asdict(moved))
        return
    typer.echo(f"Moved the pointer from {moved.before.log_id} to {moved.after.log_id}.")
    if moved.skipped:
        typer.echo(f"{moved.skipped:,} numbers will never be asked for.")
    else:
        typer.echo("Lines that come again are recognised; resume the workflow when you like.")


def _repair(context: "Context", file: Path, at: str | None, *, is_json: bool) -> None:
    from aftersend.errors import InvalidInput
    from aftersend.tracking.rejected import repair

    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
    done = repair(context, data, at=_place(at), operator=operator_name())
    if is_json:
        print_json([asdict(one) for one in done])
    else:
        for one in done:
            typer.echo(f"{file}:{one.line}: {_told(one)}")
    if any(one.outcome not in ("loaded", "already") for one in done):
        raise typer.Exit(1)


def _told(one: "Repaired") -> str:
    told = {"loaded": "loaded", "already": "loaded before"}.get(one.outcome)
    name = f"{one.log_id} " if one.log_id else ""
    if told is None:
        return f"{name}not loaded: {one.outcome}"
    places = f", in place of {', '.join(one.replaced)}" if one.replaced else ""
    return f"{name}{told}{places}"


def _place(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    segment, _, offset = text.rpartition(":")
    if not segment or not offset.isdecimal():
        raise typer.BadParameter(
            "SEGMENT:OFFSET, as in 0x0000000000000001.log:120", param_hint="--at"
        )
    return segment, int(offset)


def _server(text: str | None) -> "ServerId | None":
    return None if text is None else _named(text)


def _named(text: str) -> "ServerId":
    from aftersend.model.ids import ServerId

    return ServerId(text)
