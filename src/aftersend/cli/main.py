"""The root of all commands."""

import os
from typing import Annotated

import typer

from aftersend.cli import (
    api_token,
    audit,
    block,
    delivery,
    delivery_delete,
    delivery_send,
    delivery_view,
    enumeration,
    instance,
    operator,
    option,
    recipient,
    rehearsal,
    report,
    run,
    tag,
    tracking,
    tracking_test,
    workflow,
)
from aftersend.cli.output import INSTANCE_VARIABLE, InstanceOption
from aftersend.platform.release import build

__all__ = ["root"]

root = typer.Typer(
    name="aftersend",
    help="Tells what happened to every message after it was sent.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(build())
        raise typer.Exit


@root.callback()
def _root(
    instance: InstanceOption = None,
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del is_version  # acted on already
    if instance is not None:
        # Named before the command: the default of every command, and of processes it starts.
        os.environ[INSTANCE_VARIABLE] = str(instance)


for _part in (delivery_send, delivery_delete, delivery_view, tracking_test):
    _part.register(delivery.group)
for _group in (instance, run, rehearsal, report):
    _group.register(root)
for _name, _group in {
    "recipient": recipient,
    "delivery": delivery,
    "workflow": workflow,
    "tracking": tracking,
    "tag": tag,
    "option": option,
    "enumeration": enumeration,
    "block": block,
    "operator": operator,
    "audit": audit,
    "api-token": api_token,
}.items():
    root.add_typer(_group.group, name=_name)
