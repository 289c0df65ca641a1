"""Options: named texts of the instance, such as its formulas."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.choice import read_text
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

__all__ = ["group"]

group = typer.Typer(help="Named texts of the instance, such as formulas.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]

_SHOWN_MAX = 60


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show all options that are set."""
    from aftersend.database import options

    with open_from(instance).database.read() as connection:
        known = options.every(connection)
    if is_json:
        print_json([{"name": name, "value": value} for name, value in known.items()])
        return
    print_table(("Name", "Value"), [(name, _short(value)) for name, value in known.items()])


@group.command()
def get(name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Print the value of an option, and nothing else."""
    from aftersend.database import options

    with open_from(instance).database.read() as connection:
        value = options.get(connection, name)
    if is_json:
        print_json({"name": name, "value": value})
    else:
        sys.stdout.write(value)


@group.command("set")
def set_(
    name: NameArgument,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="a file with the value")
    ] = None,
    instance: InstanceOption = None,
) -> None:
    """Set an option to a text, or to what a file holds."""
    from aftersend.app import post_office
    from aftersend.delivery.pieces import set_option

    if (value is None) == (file is None):
        raise typer.BadParameter("say what the value is: write it, or name a file with --file")
    text = read_text(file).removesuffix("\n") if file is not None else value or ""
    set_option(post_office(open_from(instance)), name, text)
    typer.echo(f"Option {name} is set.")


@group.command()
def delete(name: NameArgument, instance: InstanceOption = None) -> None:
    """Take an option away; what has a usual value has it again."""
    from aftersend.database import options

    with open_from(instance).database.write() as connection:
        options.discard(connection, name)
    typer.echo(f"Option {name} is gone.")


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN_MAX else f"{line[:_SHOWN_MAX]}…"
