"""Deliveries that were made: listing them, and what became of each."""

from typing import TYPE_CHECKING, Any

import typer

from aftersend.cli.delivery import IdArgument
from aftersend.cli.log import (
    FormatOption,
    LimitOption,
    Listing,
    LogFormat,
    RuleOption,
    SinceOption,
    SortOption,
    TypeOption,
    UntilOption,
    VerdictOption,
    ZoneOption,
    show,
)
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    figure_row,
    open_from,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from aftersend.database.deliveries import Delivery, Texts
    from aftersend.reports.deliveries import Summary

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the commands to those of deliveries."""
    group.command("list")(list_)
    group.command("show")(show_)
    group.command()(logs)


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


def show_(
    delivery_id: IdArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Show one delivery with what was chosen for it and all its indicators."""
    from aftersend.database import deliveries
    from aftersend.model.ids import DeliveryId
    from aftersend.reports.deliveries import summary

    database = open_from(instance).database
    row = summary(database, DeliveryId(delivery_id))
    with database.read() as connection:
        delivery = deliveries.get(connection, row.id)
        texts = deliveries.texts(connection, row.id)
    if is_json:
        print_json(_document(row) | _properties(delivery, texts))
        return
    typer.echo(f"{row.label} ({row.internal_name}): {row.state.label}")
    chosen = _properties(delivery, texts)
    print_table(
        ("Property", "Value"),
        [(name, _spoken(value)) for name, value in chosen.items() if value not in ("", None)],
    )
    print_table(
        ("Indicator", "Value", "Rate"),
        [figure_row(one) for one in row.indicators.values()],
    )
    upto = "nothing collected yet" if row.as_of is None else f"{row.as_of:%Y-%m-%d %H:%M} UTC"
    say(f"Data up to: {upto}.")


def logs(
    delivery_id: IdArgument,
    instance: InstanceOption = None,
    kind: TypeOption = None,
    verdict: VerdictOption = None,
    rule: RuleOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    zone: ZoneOption = "UTC",
    sort: SortOption = "at",
    limit: LimitOption = 200,
    output: FormatOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show the tracking logs of a delivery, newest first."""
    from aftersend.app import rules
    from aftersend.model.ids import DeliveryId
    from aftersend.reports.logs import delivery_logs

    wanted = output or (LogFormat.JSON if is_json else LogFormat.TABLE)
    listing = Listing(kind, verdict, rule, since, until, sort, limit, wanted, zone)
    opened = open_from(instance)
    query = listing.query(rules(opened))
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


def _properties(delivery: "Delivery", texts: "Texts") -> dict[str, Any]:
    return {
        "kind": delivery.kind.slug,
        "origin_id": delivery.origin_id,
        "proof_number": delivery.proof_number or None,
        "sender": delivery.sender,
        "subject": delivery.subject,
        "is_open_tracked": delivery.is_open_tracked,
        "validity_s": delivery.validity_s,
        "substitution_url": delivery.substitution_url,
        "resources_s": delivery.resources_s,
        "pixel": delivery.pixel.value,
        "brand": delivery.brand,
        "mirror_mode": delivery.mirror_mode.value,
        "click_formula": delivery.click_formula,
        "open_formula": delivery.open_formula,
        "link_parameters": delivery.link_parameters,
        "variables": dict(texts.variables),
        "objects": sorted(texts.objects),
        "untracked_reason": delivery.untracked_reason,
    }


def _spoken(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items()) or "–"
    return (", ".join(value) or "–") if isinstance(value, list) else str(value)
