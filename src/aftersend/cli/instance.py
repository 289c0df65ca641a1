"""Making an instance."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.output import InstanceOption, JsonOption, print_json

__all__ = ["make", "register"]

_FIRST_OPERATOR = "admin"


def register(root: typer.Typer) -> None:
    """Add the commands of this module."""
    root.command()(init)


def init(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", show_default=False)] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Make an instance with secrets of its own and a first operator."""
    from aftersend.cli.output import instance_directory

    target = directory or instance_directory(instance)
    password = make(target)
    if is_json:
        print_json({"instance": str(target), "operator": _FIRST_OPERATOR, "password": password})
        return
    typer.echo(f"Made the instance {target}.")
    typer.echo(f"Log in as {_FIRST_OPERATOR} with the password {password} (shown only now).")
    typer.echo(f"Start it: aftersend up --instance {target} --smtp-sink")


def make(directory: Path) -> str:
    """Make an instance and its first operator; give his password.

    Raises:
        InvalidInput: there is one already, or the folder cannot be written.
    """
    from aftersend.app import init as make_instance
    from aftersend.app import open_instance
    from aftersend.database import operators
    from aftersend.platform.entropy import SystemEntropy

    entropy = SystemEntropy()
    make_instance(directory, entropy=entropy)
    opened = open_instance(directory, entropy=entropy)
    password = entropy.bytes(9).hex()
    with opened.database.write() as connection:
        operators.add(connection, name=_FIRST_OPERATOR, password=password, at=opened.clock.now())
    return password
