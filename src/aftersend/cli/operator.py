"""Operators: who may log in."""

import getpass
import sys
from typing import Annotated

import typer

from aftersend.cli.output import InstanceOption, open_from
from aftersend.errors import InvalidInput

__all__ = ["group"]

group = typer.Typer(help="Who may log in.", no_args_is_help=True)

_PASSWORD_LENGTH_MIN = 8


@group.command()
def add(
    name: str,
    instance: InstanceOption = None,
    is_from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Add an operator."""
    from aftersend.database import operators

    opened = open_from(instance)
    password = _read_password(is_from_stdin=is_from_stdin)
    with opened.database.write() as connection:
        operators.add(connection, name=name, password=password, at=opened.clock.now())
    typer.echo(f"{name} may log in.")


@group.command()
def password(
    name: str,
    instance: InstanceOption = None,
    is_from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Change the password of an operator."""
    from aftersend.database import operators

    opened = open_from(instance)
    new = _read_password(is_from_stdin=is_from_stdin)
    with opened.database.write() as connection:
        operators.change_password(connection, name=name, password=new)
    typer.echo(f"The password of {name} is changed.")


def _read_password(*, is_from_stdin: bool) -> str:
    text = sys.stdin.readline().rstrip("\n") if is_from_stdin else getpass.getpass()
    if len(text) < _PASSWORD_LENGTH_MIN:
        raise InvalidInput(f"A password has at least {_PASSWORD_LENGTH_MIN} characters.")
    return text
