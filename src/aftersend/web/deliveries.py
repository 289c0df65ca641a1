"""Deliveries: the list, and the summary and delivery logs of one."""

from dataclasses import replace
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Template

from aftersend.database import deliveries, delivery_list, delivery_logs, figures, messages
from aftersend.delivery.analyse import analyse
from aftersend.delivery.mirror import has_mirror_page, mirror_page
from aftersend.delivery.rules import EDITABLE
from aftersend.errors import NotFound
from aftersend.model.enumeration import DeliveryKind, DeliveryState, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId
from aftersend.reports.scope import as_of
from aftersend.web.listing import ROWS, Id, Listing, Offset
from aftersend.web.login import Form
from aftersend.web.public.mirror import message_page
from aftersend.web.recompute import job
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS", "SUCCESS"]

SUCCESS: Final = "success"
"""A status of the filter that stands for several: what the figure Success counts."""

_STATUSES: Final = ((SUCCESS, "Success"), *((one.slug, one.label) for one in MessageStatus))


@get("/", sync_to_thread=False)
def show_home() -> Redirect:
    """Begin with the deliveries."""
    return Redirect("/deliveries")


@get("/deliveries", sync_to_thread=True)
def show_deliveries(
    request: Request[Any, Any, Any],
    services: Given[Services],
    recompute_runner: Given[Runner],
    q: FromQuery[str] = "",
    status: FromQuery[str] = "",
    sort: FromQuery[str] = "",
    offset: Offset = 0,
) -> Template:
    """List the deliveries."""
    wanted = next((one for one in DeliveryState if one.slug == status), None)
    query = delivery_list.Query(q.strip(), wanted, sort, offset, ROWS)
    with services.database.read() as connection:
        rows = delivery_list.page(connection, query)
        total = delivery_list.count(connection, query)
        fresh = as_of(connection, ())
    return page(
        request,
        "deliveries.html",
        listing=Listing(rows, total, offset),
        as_of=fresh,
        q=q,
        status=status,
        states=[(one.slug, one.label) for one in DeliveryState],
        sort=sort,
        job=job(request, recompute_runner),
    )


@get("/deliveries/{delivery_id:int}", sync_to_thread=True)
def show_summary(
    request: Request[Any, Any, Any], services: Given[Services], delivery_id: Id
) -> Template | Redirect:
    """Show what a delivery is and how far it is; of web visits, which nobody sends, the figures."""
    number = DeliveryId(delivery_id)
    with services.database.read() as connection:
        delivery = deliveries.get(connection, number)
        exclusions = deliveries.rejected(connection, number)
        checks = deliveries.checks(connection, number)
        fresh = as_of(connection, ())
    if delivery.kind is DeliveryKind.WEB_VISITS:
        return Redirect(f"/deliveries/{number}/tracking")
    total = delivery.to_deliver
    return page(
        request,
        "delivery_summary.html",
        delivery=delivery,
        tab="summary",
        as_of=fresh,
        processed=(delivery.success + delivery.error) / total if total else None,
        success_rate=delivery.success / total if total else None,
        exclusions=exclusions,
        checks=sorted(checks, key=lambda check: -check.level),
        is_editable=delivery.state in EDITABLE,
    )


@post("/deliveries/{delivery_id:int}/analyse", sync_to_thread=True)
def analyse_delivery(data: Form, services: Given[Services], delivery_id: Id) -> Redirect:
    """Analyse a delivery, and go back to where that was asked for; nothing is sent."""
    analyse(services.office, DeliveryId(delivery_id))
    view = "/content#diagnostics" if data.get("back") == "content" else ""
    return Redirect(f"/deliveries/{delivery_id}{view}", status_code=303)


@get("/deliveries/{delivery_id:int}/logs", sync_to_thread=True)
def show_logs(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    offset: Offset = 0,
) -> Template:
    """List the messages of a delivery."""
    given = request.query_params
    status, sort = given.get("status", ""), given.get("sort", "-date")
    query = delivery_logs.Query(
        delivery_id=DeliveryId(delivery_id),
        statuses=_statuses(status),
        search=given.get("q", "").strip(),
        has_seeds=given.get("seeds") != "no",
        sort=sort,
        offset=offset,
        limit=ROWS,
    )
    with services.database.read() as connection:
        delivery = deliveries.get(connection, DeliveryId(delivery_id))
        rows = delivery_logs.page(connection, query)
        total = delivery_logs.count(connection, replace(query, offset=0))
        has_html = bool(deliveries.texts(connection, delivery.id).html)
        has_mirror = has_html and has_mirror_page(connection, delivery)
        fresh = as_of(connection, ())
    return page(
        request,
        "delivery_messages.html",
        delivery=delivery,
        tab="delivery",
        as_of=fresh,
        listing=Listing(rows, total, offset),
        q=given.get("q", ""),
        status=status,
        statuses=_STATUSES,
        has_seeds=query.has_seeds,
        sort=sort,
        has_mirror=has_mirror,
    )


@get("/deliveries/{delivery_id:int}/logs/{message_id:int}/mirror", sync_to_thread=True)
def show_mirror(services: Given[Services], delivery_id: Id, message_id: Id) -> Response[str]:
    """Show the mirror page of one message without being its recipient: nothing is counted."""
    with services.database.read() as connection:
        message = messages.by_id(connection, MessageId(message_id))
    if message.delivery_id != DeliveryId(delivery_id):
        raise NotFound("message", message_id)
    return message_page(mirror_page(services.office, message.id, is_operator=True))


HANDLERS: Final = (
    show_home,
    show_deliveries,
    show_summary,
    analyse_delivery,
    show_logs,
    show_mirror,
)


def _statuses(slug: str) -> tuple[MessageStatus, ...]:
    if slug == SUCCESS:
        return figures.SUCCESS
    return tuple(status for status in MessageStatus if status.slug == slug)
