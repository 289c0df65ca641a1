"""Enumerations: lists of values, and the texts that are gathered under them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aftersend.app import Instance

__all__ = ["group"]

group = typer.Typer(
    help="Lists of values such as Domains, and what is gathered under them.", no_args_is_help=True
)

EnumerationArgument = Annotated[
    str, typer.Argument(metavar="ENUMERATION", help="a name of `aftersend enumeration list`")
]
ValueArgument = Annotated[str, typer.Argument(metavar="VALUE")]
AliasArgument = Annotated[str, typer.Argument(metavar="ALIAS", help="for example aol.de")]


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show the enumerations with their values."""
    from aftersend.database import enumerations

    with open_from(instance).database.read() as connection:
        known = {
            name: (label, enumerations.values(connection, name))
            for name, label in enumerations.ENUMERATIONS.items()
        }
    if is_json:
        print_json(
            [
                {"name": name, "label": label, "values": values}
                for name, (label, values) in known.items()
            ]
        )
        return
    rows = [(name, label, ", ".join(values)) for name, (label, values) in known.items()]
    print_table(("Name", "Label", "Values"), rows)


@group.command()
def aliases(
    enumeration: EnumerationArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Show what is gathered under the values of an enumeration."""
    from aftersend.database import enumerations

    _check(enumeration)
    with open_from(instance).database.read() as connection:
        known = enumerations.aliases(connection, enumeration)
    if is_json:
        print_json(
            [
                {"alias": one.alias, "value": one.value, "modified_at": one.modified_at}
                for one in known
            ]
        )
        return
    print_table(
        ("Alias", "Value", "Modified (UTC)"),
        [(one.alias, one.value, one.modified_at or "built in") for one in known],
    )


@group.command()
def add(
    enumeration: EnumerationArgument, value: ValueArgument, instance: InstanceOption = None
) -> None:
    """Add a value."""
    from aftersend.database import enumerations

    _check(enumeration)
    text = enumerations.check_value(enumeration, value)
    opened = open_from(instance)
    with opened.database.write() as connection:
        enumerations.add(connection, enumeration, [text])
        _note(connection, opened, enumeration, "add", value=text)
    typer.echo(f"{text} is a value of {enumeration}.")


@group.command()
def alias(
    enumeration: EnumerationArgument,
    text: AliasArgument,
    value: ValueArgument,
    instance: InstanceOption = None,
) -> None:
    """Gather a text under a value; figures are gathered so from the next run of Tracking on."""
    from aftersend.database import enumerations

    _check(enumeration)
    opened = open_from(instance)
    with opened.database.write() as connection:
        enumerations.set_alias(connection, enumeration, text, value, at=opened.clock.now())
        _note(connection, opened, enumeration, "alias", alias=text, value=value)
    typer.echo(f"{text} is gathered under {value}.")


@group.command()
def remove(
    enumeration: EnumerationArgument,
    text: Annotated[str, typer.Argument(metavar="VALUE")],
    is_alias: Annotated[
        bool, typer.Option("--alias", help="It is an alias; a built-in one is as it was.")
    ] = False,
    instance: InstanceOption = None,
) -> None:
    """Take out a value with its aliases, or an alias alone."""
    from aftersend.database import enumerations

    _check(enumeration)
    opened = open_from(instance)
    with opened.database.write() as connection:
        if is_alias:
            enumerations.discard_alias(connection, enumeration, text)
        else:
            enumerations.remove(connection, enumeration, text)
        what = {"alias" if is_alias else "value": text}
        _note(connection, opened, enumeration, "remove", **what)
    typer.echo(f"{text} is gone.")


def _check(enumeration: str) -> None:
    from aftersend.database.enumerations import ENUMERATIONS
    from aftersend.errors import NotFound

    if enumeration not in ENUMERATIONS:
        raise NotFound("enumeration", enumeration)


def _note(
    connection: "Connection", opened: "Instance", enumeration: str, action: str, **details: Any
) -> None:
    from aftersend.cli.operator_name import operator_name
    from aftersend.database import audit
    from aftersend.database.audit import AuditEntry

    entry = AuditEntry(
        opened.clock.now(), "enumeration", enumeration, action, operator_name(), details
    )
    audit.write(connection, entry)
