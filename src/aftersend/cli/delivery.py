"""Deliveries: making them, choosing what they are, checking them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.choice import duration, named, read_object, read_text, text_or_file
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    say,
)
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import MirrorMode, PixelPlace, TrackingMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftersend.app import Instance
    from aftersend.database.urls import TrackedUrl
    from aftersend.delivery.publish import Missed
    from aftersend.model.ids import RecipientId

__all__ = ["IdArgument", "group"]

group = typer.Typer(help="Making, sending and watching deliveries.", no_args_is_help=True)

IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1)]
FileOption = Annotated[Path | None, typer.Option(metavar="FILE")]
TrackingOption = Annotated[
    bool | None, typer.Option("--tracking/--no-tracking", help="track links and opens at all")
]
OpensOption = Annotated[bool | None, typer.Option("--opens/--no-opens", help="track opens")]
VariableOption = Annotated[
    list[str] | None,
    typer.Option("--variable", metavar="NAME=VALUE", help="for instructions; may be repeated"),
]
ObjectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--object", metavar="NAME=FILE", help="a document, .json or .xml; may be repeated"
    ),
]
LastingOption = Annotated[str | None, typer.Option(metavar="TIME", help="like 30d, 12h; 0: ever")]
BrandOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="of [brands.NAME]; '': addresses of the instance")
]
FormulaOption = Annotated[str | None, typer.Option(metavar="TEXT", help="or @FILE; '': none")]


@group.command()
def create(
    label: Annotated[str, typer.Option()],
    sender: Annotated[str, typer.Option(help='"Name <address>"')],
    subject: Annotated[str, typer.Option()],
    html: FileOption = None,
    text: FileOption = None,
    recipients: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="the target; without it: everybody")
    ] = None,
    seed: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="a seed address; may be repeated")
    ] = None,
    is_tracked: TrackingOption = None,
    is_open_tracked: OpensOption = None,
    brand: BrandOption = None,
    variable: VariableOption = None,
    document: ObjectOption = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Make a delivery."""
    from aftersend.app import post_office
    from aftersend.database.seeds import Seed
    from aftersend.delivery.create import Draft
    from aftersend.delivery.create import create as create_delivery
    from aftersend.delivery.properties import Properties

    opened = open_from(instance)
    draft = Draft(
        label=label,
        sender=sender,
        subject=subject,
        html=None if html is None else read_text(html),
        text=None if text is None else read_text(text),
        recipient_ids=None if recipients is None else _target(opened, recipients),
        seeds=[Seed(address) for address in seed or ()],
        properties=Properties(
            is_tracked=is_tracked,
            is_open_tracked=is_open_tracked,
            brand=brand,
            variables=named("variable", variable, str),
            objects=named("object", document, read_object),
        ),
    )
    delivery_id = create_delivery(post_office(opened), draft)
    if is_json:
        print_json({"id": delivery_id})
    else:
        typer.echo(f"Made delivery {delivery_id}.")


@group.command("set")
def set_(
    delivery_id: IdArgument,
    label: Annotated[str | None, typer.Option()] = None,
    sender: Annotated[str | None, typer.Option(help='"Name <address>"')] = None,
    subject: Annotated[str | None, typer.Option()] = None,
    html: FileOption = None,
    text: FileOption = None,
    is_tracked: TrackingOption = None,
    is_open_tracked: OpensOption = None,
    validity: LastingOption = None,
    substitution_url: Annotated[
        str | None, typer.Option(metavar="URL", help="where expired links lead; '': nowhere")
    ] = None,
    resource_validity: LastingOption = None,
    pixel: Annotated[PixelPlace | None, typer.Option()] = None,
    mirror: Annotated[MirrorMode | None, typer.Option()] = None,
    brand: BrandOption = None,
    click_formula: FormulaOption = None,
    open_formula: FormulaOption = None,
    link_parameters: FormulaOption = None,
    variable: VariableOption = None,
    document: ObjectOption = None,
    instance: InstanceOption = None,
) -> None:
    """Change what a delivery is; after sending, only --*validity and --substitution-url."""
    from aftersend.app import post_office
    from aftersend.delivery.properties import Properties, change_properties
    from aftersend.model.ids import DeliveryId

    properties = Properties(
        label=label,
        sender=sender,
        subject=subject,
        html=None if html is None else read_text(html),
        text=None if text is None else read_text(text),
        is_tracked=is_tracked,
        is_open_tracked=is_open_tracked,
        validity_s=duration(validity),
        resources_s=duration(resource_validity),
        substitution_url=substitution_url,
        pixel=pixel,
        mirror_mode=mirror,
        brand=brand,
        click_formula=text_or_file(click_formula),
        open_formula=text_or_file(open_formula),
        link_parameters=text_or_file(link_parameters),
        variables=named("variable", variable, str),
        objects=named("object", document, read_object),
    )
    if properties == Properties():
        raise typer.BadParameter("say what to change; --help lists it")
    missed = change_properties(
        post_office(open_from(instance)), DeliveryId(delivery_id), properties
    )
    typer.echo(f"Changed delivery {delivery_id}.")
    _tell_missed(missed)


@group.command()
def urls(
    delivery_id: IdArgument,
    instance: InstanceOption = None,
    url_id: Annotated[int | None, typer.Option("--set", metavar="URL_ID")] = None,
    mode: Annotated[TrackingMode | None, typer.Option()] = None,
    label: Annotated[str | None, typer.Option()] = None,
    category: Annotated[str | None, typer.Option()] = None,
    is_blocked: Annotated[
        bool | None,
        typer.Option("--block/--unblock", help="stop the link, or let it through; at any time"),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show the links of a delivery, or change one with --set."""
    from aftersend.app import post_office
    from aftersend.delivery.blocking import set_blocked
    from aftersend.delivery.links import list_urls, set_url
    from aftersend.model.ids import DeliveryId, UrlId

    office, owner = post_office(open_from(instance)), DeliveryId(delivery_id)
    is_named = not mode is label is category is None
    if url_id is None and (is_named or is_blocked is not None):
        raise typer.BadParameter("say which link with --set URL_ID")
    if url_id is not None and (is_named or is_blocked is None):
        set_url(office, owner, UrlId(url_id), mode=mode, label=label, category=category)
    if url_id is not None and is_blocked is not None:
        _tell_missed(set_blocked(office, owner, UrlId(url_id), is_blocked=is_blocked))
    _print_urls(list_urls(office, owner), is_json=is_json)


@group.command()
def analyse(
    delivery_id: IdArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Work out who gets a delivery, and check it; sends nothing."""
    from aftersend.app import post_office
    from aftersend.delivery.analyse import analyse as analyse_delivery
    from aftersend.model.ids import DeliveryId

    analysis = analyse_delivery(post_office(open_from(instance)), DeliveryId(delivery_id))
    if is_json:
        print_json(
            {
                "to_deliver": analysis.to_deliver,
                "rejected": dict(analysis.rejected),
                "checks": [
                    {"level": check.level.slug, "rule": check.rule, "text": check.text}
                    for check in analysis.checks
                ],
            }
        )
    else:
        typer.echo(f"{analysis.to_deliver:,} messages to deliver.")
        for reason, number in sorted(analysis.rejected.items()):
            typer.echo(f"  left out, {reason.replace('_', ' ')}: {number:,}")
        for check in analysis.checks:
            typer.echo(f"  {check.level.label}, {check.rule}: {check.text}")
    if analysis.error is not None:
        raise InvalidInput(f"Delivery {delivery_id} cannot be sent: {analysis.error.text}")


@group.command()
def render(
    delivery_id: IdArgument,
    email: Annotated[str, typer.Option(metavar="ADDRESS")],
    instance: InstanceOption = None,
) -> None:
    """Print the message to one address as it would be sent, headers and all."""
    from aftersend.app import post_office
    from aftersend.delivery.render import render as print_message
    from aftersend.model.ids import DeliveryId

    office = post_office(open_from(instance))
    sys.stdout.buffer.write(print_message(office, DeliveryId(delivery_id), email))


def _print_urls(rows: "Sequence[TrackedUrl]", *, is_json: bool) -> None:
    if is_json:
        print_json(
            [
                {
                    "id": row.id,
                    "source": row.source,
                    "label": row.label,
                    "category": row.category,
                    "mode": row.mode.value,
                    "type": row.type.slug,
                    "part": row.part.value,
                    "occurrences": row.occurrences,
                    "blocked": row.is_blocked,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("Id", "Part", "Label", "Tracking", "Blocked", "Type", "Category", "Times", "Source"),
        [
            (
                row.id,
                row.part.value,
                row.label,
                row.mode.label,
                "blocked" if row.is_blocked else "",
                row.type.label,
                row.category,
                row.occurrences,
                row.source,
            )
            for row in rows
        ],
    )


def _tell_missed(missed: "Sequence[Missed]") -> None:
    for each in missed:
        say(
            f"Tracking server {each.server_id} does not know yet ({each.reason}): it is told by the"
            " next run of the Tracking workflow."
        )


def _target(opened: "Instance", path: Path) -> "Sequence[RecipientId]":
    from aftersend.delivery.recipients import import_recipients

    report = import_recipients(opened.database, path, clock=opened.clock)
    if report.rejected:
        say(f"{len(report.rejected):,} rows of {path} were left out; see `recipient import`.")
    return report.recipient_ids
