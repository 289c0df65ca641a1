"""Trying out the tracking of a delivery, from the message to its logs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aftersend.cli.delivery import IdArgument
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

if TYPE_CHECKING:
    from aftersend.app import Instance
    from aftersend.delivery.tracking_test import Report
    from aftersend.model.enumeration import UrlType
    from aftersend.model.ids import DeliveryId

__all__ = ["register"]

_SHOWN_LENGTH_MAX: Final = 60


def register(group: typer.Typer) -> None:
    """Add the command to those of deliveries."""
    group.command("test-tracking")(try_tracking)


def try_tracking(
    delivery_id: IdArgument,
    email: Annotated[str, typer.Option(metavar="ADDRESS", help="who gets the message")],
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Send a copy to one address; try its links and pages, run the workflow, look for the hits."""
    from aftersend.app import mail_server, post_office
    from aftersend.delivery.tracking_test import run_tracking_test
    from aftersend.model.ids import DeliveryId

    opened = open_from(instance)
    report = run_tracking_test(
        post_office(opened),
        mail_server(opened),
        DeliveryId(delivery_id),
        email=email,
        collect=lambda copy_id: _collect(opened, copy_id),
    )
    if is_json:
        print_json(_document(report))
    else:
        _show(report)
    if not report.is_ok:
        raise typer.Exit(1)


def _collect(opened: "Instance", delivery_id: "DeliveryId") -> "Sequence[UrlType]":
    from aftersend.app import run_workflow
    from aftersend.reports.log_query import LogQuery
    from aftersend.reports.logs import delivery_logs

    run_workflow(opened, "tracking").check()
    page = delivery_logs(opened.database, opened.lake(), delivery_id, LogQuery(limit=None))
    return [row.type for row in page.rows]


def _document(report: "Report") -> dict[str, object]:
    return {
        "ok": report.is_ok,
        "delivery_id": report.delivery_id,
        "rows": [
            {
                "what": row.what,
                "url": row.url,
                "expected": row.expected,
                "got": row.got,
                "ok": row.is_ok,
            }
            for row in report.rows
        ],
    }


def _show(report: "Report") -> None:
    rows = [
        (row.what, _short(row.url), row.expected, row.got, "yes" if row.is_ok else "NO")
        for row in report.rows
    ]
    print_table(("What", "Address", "Expected", "Got", "Ok"), rows)
    good = sum(row.is_ok for row in report.rows)
    typer.echo(
        f"Delivery {report.delivery_id} was sent: {good} of {len(rows)} things are as they should."
    )


def _short(url: str) -> str:
    return url if len(url) <= _SHOWN_LENGTH_MAX else f"{url[: _SHOWN_LENGTH_MAX - 1]}…"
