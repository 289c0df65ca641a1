"""Deliveries: making, checking, sending and watching them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aftersend.cli.log import (
    FormatOption,
    LimitOption,
    Listing,
    LogFormat,
    SinceOption,
    SortOption,
    TypeOption,
    UntilOption,
    VerdictOption,
    show,
)
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    progress,
    say,
)
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import TrackingMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftersend.app import Instance
    from aftersend.model.ids import RecipientId
    from aftersend.reports.deliveries import Summary

__all__ = ["group"]

group = typer.Typer(help="Making, sending and watching deliveries.", no_args_is_help=True)

IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1)]


@group.command()
def create(
    label: Annotated[str, typer.Option()],
    sender: Annotated[str, typer.Option(help='"Name <address>"')],
    subject: Annotated[str, typer.Option()],
    html: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    text: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    recipients: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="the target; without it: everybody")
    ] = None,
    seed: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="a seed address; may be repeated")
    ] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Make a delivery."""
    from aftersend.app import post_office
    from aftersend.database.seeds import Seed
    from aftersend.delivery.create import Draft
    from aftersend.delivery.create import create as create_delivery

    opened = open_from(instance)
    draft = Draft(
        label=label,
        sender=sender,
        subject=subject,
        html=_read(html),
        text=_read(text),
        recipient_ids=None if recipients is None else _target(opened, recipients),
        seeds=[Seed(address) for address in seed or ()],
    )
    delivery_id = create_delivery(post_office(opened), draft)
    if is_json:
        print_json({"id": delivery_id})
    else:
        typer.echo(f"Made delivery {delivery_id}.")


@group.command()
def urls(
    delivery_id: IdArgument,
    instance: InstanceOption = None,
    url_id: Annotated[int | None, typer.Option("--set", metavar="URL_ID")] = None,
    mode: Annotated[TrackingMode | None, typer.Option()] = None,
    label: Annotated[str | None, typer.Option()] = None,
    category: Annotated[str | None, typer.Option()] = None,
    is_json: JsonOption = False,
) -> None:
    """Show the links of a delivery, or change one with --set."""
    from aftersend.app import post_office
    from aftersend.delivery.links import list_urls, set_url
    from aftersend.model.ids import DeliveryId, UrlId

    office, owner = post_office(open_from(instance)), DeliveryId(delivery_id)
    if url_id is not None:
        set_url(office, owner, UrlId(url_id), mode=mode, label=label, category=category)
    elif not mode is label is category is None:
        raise typer.BadParameter("say which link with --set URL_ID")
    rows = list_urls(office, owner)
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
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("Id", "Part", "Label", "Tracking", "Type", "Category", "Times", "Source"),
        [
            (
                row.id,
                row.part.value,
                row.label,
                row.mode.label,
                row.type.label,
                row.category,
                row.occurrences,
                row.source,
            )
            for row in rows
        ],
    )


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


@group.command()
def send(
    delivery_id: IdArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Send a delivery, or go on where sending it stopped; analyses it first if needed."""
    from aftersend.app import mail_server, post_office
    from aftersend.delivery.send import send as send_delivery
    from aftersend.model.ids import DeliveryId

    opened = open_from(instance)
    with progress() as on_progress:
        sent = send_delivery(
            post_office(opened),
            mail_server(opened),
            DeliveryId(delivery_id),
            on_progress=lambda done, total: on_progress("Messages", done, total),
        )
    if is_json:
        print_json({"sent": sent.sent, "failed": sent.failed, "seconds": round(sent.seconds, 3)})
    elif sent.was_finished:
        typer.echo(f"Delivery {delivery_id} was finished: {sent.sent:,} sent before.")
    else:
        typer.echo(f"{sent.sent:,} sent, {sent.failed:,} failed, in {sent.seconds:.1f} s.")


@group.command("list")
def list_(
    instance: InstanceOption = None, is_json: JsonOption = False, limit: LimitOption = 200
) -> None:
    """Show deliveries with their main figures, the newest first."""
    from aftersend.reports.deliveries import summaries

    rows = summaries(open_from(instance).database, limit=limit or None)
    if is_json:
        print_json([_document(row) for row in rows])
        return
    columns = ("Id", "Label", "State", "Contact date (UTC)", "To deliver", "Success", "Opens")
    print_table(
        (*columns, "Clicks"),
        [
            (
                row.id,
                row.label,
                row.state.label,
                row.contact_at,
                row.to_deliver,
                row.success,
                row.indicators["recipient_open"].value,
                row.indicators["recipient_click"].value,
            )
            for row in rows
        ],
    )


@group.command("show")
def show_(
    delivery_id: IdArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Show one delivery with all its indicators."""
    from aftersend.model.ids import DeliveryId
    from aftersend.reports.deliveries import summary

    row = summary(open_from(instance).database, DeliveryId(delivery_id))
    if is_json:
        print_json(_document(row))
        return
    typer.echo(f"{row.label} ({row.internal_name}): {row.state.label}")
    print_table(
        ("Indicator", "Value", "Rate"),
        [
            (one.label, one.value, None if one.rate is None else f"{one.rate:.2%}")
            for one in row.indicators.values()
        ],
    )
    upto = "nothing collected yet" if row.as_of is None else f"{row.as_of:%Y-%m-%d %H:%M} UTC"
    say(f"Data up to: {upto}.")


@group.command()
def logs(
    delivery_id: IdArgument,
    instance: InstanceOption = None,
    kind: TypeOption = None,
    verdict: VerdictOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    sort: SortOption = "at",
    limit: LimitOption = 200,
    output: FormatOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show the tracking logs of a delivery, newest first."""
    from aftersend.model.ids import DeliveryId
    from aftersend.reports.logs import delivery_logs

    wanted = output or (LogFormat.JSON if is_json else LogFormat.TABLE)
    listing = Listing(kind, verdict, since, until, sort, limit, wanted)
    opened = open_from(instance)
    query = listing.query(dedup_open_period_s=opened.settings.tracking.dedup_open_period_s)
    show(listing, delivery_logs(opened.database, opened.lake(), DeliveryId(delivery_id), query))


def _document(row: "Summary") -> dict[str, Any]:
    from aftersend.reports.render import figures_document

    return {
        "id": row.id,
        "internal_name": row.internal_name,
        "label": row.label,
        "state": row.state.slug,
        "is_tracked": row.is_tracked,
        "contact_at": row.contact_at,
        "to_deliver": row.to_deliver,
        "processed": row.processed,
        "success": row.success,
        "error": row.error,
        "indicators": figures_document(row.indicators),
        "as_of": row.as_of,
    }


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        # Line ends are content, too: what was written is what is sent.
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8: save it as UTF-8.") from error


def _target(opened: "Instance", path: Path) -> "Sequence[RecipientId]":
    from aftersend.delivery.recipients import import_recipients

    report = import_recipients(opened.database, path, clock=opened.clock)
    if report.rejected:
        say(f"{len(report.rejected):,} rows of {path} were left out; see `recipient import`.")
    return report.recipient_ids
