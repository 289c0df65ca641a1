"""Recipients: the list, and what happened to the messages of one."""

from dataclasses import replace
from typing import Any, Final

from litestar import Request, get
from litestar.params import FromQuery
from litestar.response import Template

from aftersend.database import delivery_logs, recipients
from aftersend.model.enumeration import MessageStatus
from aftersend.model.ids import RecipientId
from aftersend.reports import logs
from aftersend.reports.scope import as_of
from aftersend.web.display import Zone
from aftersend.web.listing import ROWS, Id, Listing, Offset
from aftersend.web.log_filter import RULES, TYPES, VERDICTS, read_filter
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]


@get("/recipients", sync_to_thread=True)
def show_recipients(
    request: Request[Any, Any, Any],
    services: Given[Services],
    q: FromQuery[str] = "",
    offset: Offset = 0,
) -> Template:
    """List the recipients whose address or name holds `q`."""
    search = q.strip()
    with services.database.read() as connection:
        rows = recipients.page(connection, search=search, offset=offset, limit=ROWS)
        total = recipients.count(connection, search=search)
    return page(request, "recipients.html", listing=Listing(rows, total, offset), q=q)


@get("/recipients/{recipient_id:int}", sync_to_thread=True)
def show_tracking(
    request: Request[Any, Any, Any],
    services: Given[Services],
    zone: Given[Zone],
    recipient_id: Id,
    offset: Offset = 0,
) -> Template:
    """List the tracking logs of one recipient over all deliveries."""
    number = RecipientId(recipient_id)
    with services.database.read() as connection:
        recipient = recipients.by_id(connection, number)
        fresh = as_of(connection, ())
    chosen = read_filter(
        request.query_params,
        zone=zone,
        rules=services.rules,
        offset=offset,
    )
    found = logs.recipient_logs(services.database, services.lake, number, chosen.query)
    return page(
        request,
        "recipient_tracking.html",
        recipient=recipient,
        tab="tracking",
        as_of=fresh,
        chosen=chosen,
        types=TYPES,
        verdicts=VERDICTS,
        rules=RULES,
        listing=Listing(found.rows, found.total, offset),
    )


@get("/recipients/{recipient_id:int}/profile", sync_to_thread=True)
def show_profile(
    request: Request[Any, Any, Any], services: Given[Services], recipient_id: Id
) -> Template:
    """Show what is known of one recipient."""
    with services.database.read() as connection:
        recipient = recipients.by_id(connection, RecipientId(recipient_id))
        fresh = as_of(connection, ())
    return page(request, "recipient_profile.html", recipient=recipient, tab="profile", as_of=fresh)


@get("/recipients/{recipient_id:int}/deliveries", sync_to_thread=True)
def show_deliveries(
    request: Request[Any, Any, Any],
    services: Given[Services],
    recipient_id: Id,
    status: FromQuery[str] = "",
    sort: FromQuery[str] = "-date",
    offset: Offset = 0,
) -> Template:
    """List the messages to one recipient in all deliveries."""
    number = RecipientId(recipient_id)
    query = delivery_logs.Query(
        recipient_id=number, statuses=_statuses(status), sort=sort, offset=offset, limit=ROWS
    )
    with services.database.read() as connection:
        recipient = recipients.by_id(connection, number)
        rows = delivery_logs.page(connection, query)
        total = delivery_logs.count(connection, replace(query, offset=0))
        fresh = as_of(connection, ())
    return page(
        request,
        "recipient_deliveries.html",
        recipient=recipient,
        tab="deliveries",
        as_of=fresh,
        listing=Listing(rows, total, offset),
        sort=sort,
        status=status,
        statuses=[(one.slug, one.label) for one in MessageStatus],
    )


HANDLERS: Final = (show_recipients, show_tracking, show_profile, show_deliveries)


def _statuses(slug: str) -> tuple[MessageStatus, ...]:
    return tuple(status for status in MessageStatus if status.slug == slug)
