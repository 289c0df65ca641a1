"""Web tags: pages that tell when somebody came or bought something."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aftersend.cli.choice import named
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    say,
    time_text,
)

if TYPE_CHECKING:
    from aftersend.database.tags import Tag

__all__ = ["group"]

group = typer.Typer(help="Pages that tell of visits and transactions.", no_args_is_help=True)


class TagType(StrEnum):
    """What a tag tells of."""

    WEB = "web"
    TRANSACTION = "transaction"


TagArgument = Annotated[str, typer.Argument(metavar="ID")]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="L", help="how lists and reports name it")
]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="U", help="the page it stands on, to remember it")
]
FolderOption = Annotated[
    str | None, typer.Option("--folder", metavar="F", help="where lists keep it")
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DATE",
        help="from when on it does not count, such as 2027-01-31 or 2027-01-31T18:00Z, UTC",
    ),
]


@group.command()
def add(
    tag_id: Annotated[
        str, typer.Option("--id", metavar="I", help="how pages name it: 1 to 128 characters")
    ],
    label: Annotated[str, typer.Option(metavar="L", help="how lists and reports name it")],
    kind: Annotated[
        TagType, typer.Option("--type", help="a page, or a transaction with amount and items")
    ] = TagType.WEB,
    url: UrlOption = None,
    folder: FolderOption = None,
    until: UntilOption = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Define a web tag."""
    from aftersend.database import tags

    new = tags.NewTag(
        tag_id,
        label,
        tags.TYPES[kind],
        url=url or "",
        folder=folder or "",
        valid_until=_moment(until) if until else None,
    )
    with open_from(instance).database.write() as connection:
        tag = tags.add(connection, new)
    if is_json:
        print_json(_document(tag))
    else:
        typer.echo(f"Tag {tag.tag_id} is defined. Its HTML: aftersend tag html {tag.tag_id}")


@group.command("list")
def list_(
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="a part of an identifier, a label or a folder")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="tags at most")] = 1_000,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show web tags, those that pages have made among them."""
    from aftersend.database import tags

    with open_from(instance).database.read() as connection:
        found = tags.page(connection, search=search, limit=limit)
    if is_json:
        print_json([_document(tag) for tag in found])
        return
    print_table(
        ("Identifier", "Label", "Type", "Folder", "Counts until (UTC)", "Page"),
        [
            (tag.tag_id, tag.label, tag.type.label, tag.folder, tag.valid_until, tag.url)
            for tag in found
        ],
    )


@group.command("set")
def set_(
    tag_id: TagArgument,
    label: LabelOption = None,
    url: UrlOption = None,
    folder: FolderOption = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="from when on it does not count; never: 0"),
    ] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Change a web tag; what is not named stays, as do identifier and type."""
    from aftersend.database import tags

    values: dict[str, Any] = {"label": label, "url": url, "folder": folder}
    values = {name: value for name, value in values.items() if value is not None}
    if until is not None:
        values["valid_until"] = None if until == "0" else _moment(until)
    if not values:
        raise typer.BadParameter("say what to change with --label, --url, --folder or --until")
    with open_from(instance).database.write() as connection:
        tag = tags.change(connection, tag_id, **values)
    if is_json:
        print_json(_document(tag))
    else:
        typer.echo(f"Tag {tag_id} is changed.")


@group.command()
def html(
    tag_id: TagArgument,
    amount: Annotated[str, typer.Option(metavar="X", help="total of a transaction")] = "",
    article: Annotated[str, typer.Option(metavar="N", help="number of its items")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="a parameter of your own; may be repeated"),
    ] = None,
    is_consent_needed: Annotated[
        bool, typer.Option("--consent", help="wait until the visitor has allowed it")
    ] = False,
    brand: Annotated[
        str, typer.Option(metavar="NAME", help="the tracking address of a brand")
    ] = "",
    instance: InstanceOption = None,
) -> None:
    """Print the HTML that goes onto the page, and how a server tells the same."""
    from aftersend.app import post_office
    from aftersend.database import tags
    from aftersend.delivery.tag_html import Filling, formula_of, html_of, server_call, server_of

    office = post_office(open_from(instance))
    pairs = [each if "=" in each else f"{each}=" for each in parameter or ()]
    filling = Filling(
        amount, article, named("parameter", pairs, str) or {}, is_consent_needed=is_consent_needed
    )
    server = server_of(office, brand)
    with office.database.read() as connection:
        tag, formula = tags.get(connection, tag_id), formula_of(connection)
    typer.echo(html_of(tag, filling, server=server, formula=formula), nl=False)
    say(
        "In place of it your own server may call"
        f" {server_call(tag, filling, server=server)}\n"
        "with the visitor's cookies nlid, uuid230, nllastdelid and acoptout; hand on to the visitor"
        " what the answer says with Set-Cookie."
    )


def _moment(text: str) -> datetime:
    from aftersend.errors import InvalidInput

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is no date: write one such as 2027-01-31 or 2027-01-31T18:00Z."
        ) from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _document(tag: "Tag") -> dict[str, Any]:
    return {
        "id": tag.tag_id,
        "url_id": tag.id,
        "label": tag.label,
        "type": tag.type.slug,
        "url": tag.url,
        "folder": tag.folder,
        "valid_until": time_text(tag.valid_until),
    }
