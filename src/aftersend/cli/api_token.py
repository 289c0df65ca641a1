"""Tokens of the API: who may ask without a browser."""

from typing import Annotated

import typer

from aftersend.cli.operator_name import operator_name
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table, say

__all__ = ["group"]

group = typer.Typer(help="Tokens of the API.", no_args_is_help=True)

LabelArgument = Annotated[str, typer.Argument(metavar="LABEL", help="for example: reporting")]


@group.command()
def create(label: LabelArgument, instance: InstanceOption = None) -> None:
    """Make a token and print it; it is shown this once."""
    from aftersend.database import api_tokens

    opened = open_from(instance)
    with opened.database.write() as connection:
        text = api_tokens.create(
            connection,
            label=label,
            entropy=opened.entropy,
            at=opened.clock.now(),
            operator=operator_name(),
        )
    typer.echo(text)
    say("Keep it now: it is not shown again. Send it as `Authorization: Bearer …`.")


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show the tokens there are, and when they were last used."""
    from aftersend.database import api_tokens

    with open_from(instance).database.read() as connection:
        tokens = api_tokens.every(connection)
    if is_json:
        print_json(
            [
                {
                    "label": token.label,
                    "created_at": token.created_at,
                    "last_used_at": token.last_used_at,
                }
                for token in tokens
            ]
        )
        return
    print_table(
        ("Label", "Created (UTC)", "Last used (UTC)"),
        [(token.label, token.created_at, token.last_used_at) for token in tokens],
    )


@group.command()
def revoke(label: LabelArgument, instance: InstanceOption = None) -> None:
    """Refuse a token from now on."""
    from aftersend.database import api_tokens

    opened = open_from(instance)
    with opened.database.write() as connection:
        api_tokens.revoke(connection, label=label, at=opened.clock.now(), operator=operator_name())
    typer.echo(f"The token {label} is refused from now on.")
