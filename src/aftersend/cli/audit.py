"""The audit trail: who changed what, when and how."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

__all__ = ["group"]

group = typer.Typer(help="Who changed what, and when.", no_args_is_help=True)

_DAY_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
_TEXT_LENGTH_MAX = 60


@group.command("list")
def list_(
    instance: InstanceOption = None,
    is_json: JsonOption = False,
    entity: Annotated[str | None, typer.Option(help="for example: workflow")] = None,
    name: Annotated[str | None, typer.Option(help="name or number of the thing")] = None,
    action: Annotated[str | None, typer.Option(help="for example: pause")] = None,
    operator: Annotated[str | None, typer.Option(help="who did it; cli:NAME for commands")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_DAY_FORMATS, help="from this moment on, UTC")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY_FORMATS, help="before this moment, UTC")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
    offset: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Show what was done, newest first."""
    from aftersend.database import audit

    with open_from(instance).database.read() as connection:
        entries = audit.entries(
            connection,
            entity=entity,
            name=name,
            action=action,
            operator=operator,
            since=_utc(since),
            until=_utc(until),
            limit=limit,
            offset=offset,
        )
    if is_json:
        print_json(
            [
                {
                    "id": each.id,
                    "at": each.at,
                    "entity": each.entity,
                    "name": each.name,
                    "action": each.action,
                    "operator": each.operator,
                    "details": each.details,
                }
                for each in entries
            ]
        )
        return
    print_table(
        ("At (UTC)", "Entity", "Name", "Action", "By", "Details"),
        [
            (each.at, each.entity, each.name, each.action, each.operator, _short(each.details))
            for each in entries
        ],
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _short(details: object) -> str:
    text = str(details) if details else ""
    return text if len(text) <= _TEXT_LENGTH_MAX else f"{text[:_TEXT_LENGTH_MAX]}…"
