"""Custom blocks: pieces of content that messages share."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.choice import read_text
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    time_text,
)

__all__ = ["group"]

group = typer.Typer(help="Pieces of content that messages share.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show all custom blocks."""
    from aftersend.database import blocks

    with open_from(instance).database.read() as connection:
        known = blocks.every(connection)
    if is_json:
        print_json(
            [
                {
                    "name": each.name,
                    "html": each.html,
                    "text": each.text,
                    "modified_at": time_text(each.modified_at),
                }
                for each in known
            ]
        )
        return
    rows = [(each.name, len(each.html), len(each.text), each.modified_at) for each in known]
    print_table(("Name", "HTML characters", "Text characters", "Changed"), rows)


@group.command()
def show(name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show both parts of a custom block."""
    from aftersend.database import blocks

    with open_from(instance).database.read() as connection:
        block = blocks.get(connection, name)
    if is_json:
        print_json(
            {
                "name": block.name,
                "html": block.html,
                "text": block.text,
                "modified_at": time_text(block.modified_at),
            }
        )
        return
    for title, content in (("HTML", block.html), ("Text", block.text)):
        typer.echo(f"{title}:\n{content or '(none)'}")


@group.command("set")
def set_(
    name: NameArgument,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="the HTML part")] = None,
    text: Annotated[Path | None, typer.Option(metavar="FILE", help="the text part")] = None,
    instance: InstanceOption = None,
) -> None:
    """Make a custom block or change parts of it; a part that is not named stays."""
    from aftersend.app import post_office
    from aftersend.delivery.pieces import set_block

    if html is text is None:
        raise typer.BadParameter("say what is in the block with --html FILE, --text FILE or both")
    set_block(
        post_office(open_from(instance)),
        name,
        html=None if html is None else read_text(html),
        text=None if text is None else read_text(text),
    )
    typer.echo(f"Block {name} is set: include it with <%@ include view='{name}' %>.")


@group.command()
def delete(name: NameArgument, instance: InstanceOption = None) -> None:
    """Take a custom block away; analysed messages keep what they have of it."""
    from aftersend.database import blocks

    with open_from(instance).database.write() as connection:
        blocks.discard(connection, name)
    typer.echo(f"Block {name} is gone.")
