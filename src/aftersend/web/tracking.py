"""The Tracking tab of a delivery: statistics, the rows behind each figure, logs, URLs."""

from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream, Template

from aftersend.database import activity, deliveries, urls
from aftersend.database.deliveries import Delivery
from aftersend.errors import NotFound
from aftersend.lake.machines import described
from aftersend.lake.measure import MEASURES
from aftersend.model.enumeration import DeliveryKind
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.reports import behind, logs, removed, tracking_indicators, url_clicks
from aftersend.reports.indicator import INDICATORS, Box
from aftersend.reports.scope import Scope, as_of
from aftersend.web import chart, freshness
from aftersend.web.display import Zone
from aftersend.web.listing import ROWS, Id, Listing, Offset
from aftersend.web.log_export import csv_of
from aftersend.web.log_filter import RULES, TYPES, VERDICTS, read_filter
from aftersend.web.recompute import job
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_SUMS: Final = frozenset(name for name, measure in MEASURES.items() if measure.summed)


@get("/deliveries/{delivery_id:int}/tracking", sync_to_thread=True)
def show_statistics(
    request: Request[Any, Any, Any],
    services: Given[Services],
    recompute_runner: Given[Runner],
    delivery_id: Id,
    hits: FromQuery[str] = "",
) -> Template:
    """Show the Tracking indicators of a delivery."""
    delivery = _tracked(services, delivery_id)
    is_all_hits = hits == "all"
    report = tracking_indicators.report(
        services.database, services.lake, _scope(services, delivery.id, is_all_hits=is_all_hits)
    )
    has_visits = bool(report.indicators["total_web_page"].value)
    has_chart = any(
        report.indicators[name].value for name in ("total_recipient_open", "total_recipient_click")
    )
    has_hits = has_visits or any(
        report.indicators[name].value for name in ("recipient_open", "opt_out", "mirror_page")
    )
    with services.database.read() as connection:
        taken_out = removed.removed(connection, [delivery.id])
    return page(
        request,
        "delivery_statistics.html",
        delivery=delivery,
        tab="tracking",
        view="statistics",
        as_of=report.as_of,
        report=report,
        indicators=INDICATORS,
        boxes=_boxes(delivery, has_visits=has_visits),
        counted=behind.COUNTED,
        is_all_hits=is_all_hits,
        has_chart=has_chart,
        removed=taken_out,
        reasons={rule.name: rule.reason for rule in described().values()},
        job=job(request, recompute_runner),
        hint=freshness.hint(delivery, as_of=report.as_of, has_hits=has_hits),
    )


@get("/deliveries/{delivery_id:int}/tracking/activity.json", sync_to_thread=True)
def show_activity(services: Given[Services], zone: Given[Zone], delivery_id: Id) -> dict[str, Any]:
    """Give opens and clicks over time, for the chart."""
    with services.database.read() as connection:
        deliveries.get(connection, DeliveryId(delivery_id))
        periods = activity.by_period(connection, DeliveryId(delivery_id))
    period_s = services.settings.tracking.consolidation_period_s
    return chart.bars(periods, zone.tz, period_s=period_s)


@get("/deliveries/{delivery_id:int}/figures/{name:str}", sync_to_thread=True)
def show_figure(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    name: FromPath[str],
    hits: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    offset: Offset = 0,
) -> Template:
    """List the rows behind a figure: as many as it says."""
    number = DeliveryId(delivery_id)
    indicator = next((one for one in INDICATORS if one.name == name), None)
    if indicator is None or name not in behind.COUNTED:
        raise NotFound("list behind the figure", name)
    with services.database.read() as connection:
        delivery = deliveries.get(connection, number)
        fresh = as_of(connection, ())
    found = behind.behind(
        services.database,
        services.lake,
        name,
        _scope(services, number, is_all_hits=hits == "all"),
        page=behind.Page(ROWS, offset),
        domain=domain or None,
    )
    return page(
        request,
        "delivery_figure.html",
        delivery=delivery,
        tab="tracking" if delivery.is_tracked else "summary",
        as_of=fresh,
        indicator=indicator,
        domain=domain,
        is_all_hits=hits == "all",
        kind=type(found.rows[0]).__name__ if found.rows else "",
        value=found.value,
        pending=found.pending,
        is_sum=name in _SUMS,
        listing=Listing(found.rows, found.total, offset),
    )


@get("/deliveries/{delivery_id:int}/tracking/logs", sync_to_thread=True)
def show_logs(
    request: Request[Any, Any, Any],
    services: Given[Services],
    zone: Given[Zone],
    delivery_id: Id,
    offset: Offset = 0,
) -> Template:
    """List the tracking logs of a delivery."""
    delivery = _tracked(services, delivery_id)
    chosen = read_filter(
        request.query_params,
        zone=zone,
        rules=services.rules,
        offset=offset,
    )
    found = logs.delivery_logs(services.database, services.lake, delivery.id, chosen.query)
    with services.database.read() as connection:
        fresh = as_of(connection, ())
    has_hits = found.total > 0 or chosen.is_set
    return page(
        request,
        "delivery_logs.html",
        delivery=delivery,
        tab="tracking",
        view="logs",
        as_of=fresh,
        chosen=chosen,
        types=TYPES,
        verdicts=VERDICTS,
        rules=RULES,
        listing=Listing(found.rows, found.total, offset),
        hint=freshness.hint(delivery, as_of=fresh, has_hits=has_hits),
    )


@get("/deliveries/{delivery_id:int}/tracking/logs.csv", sync_to_thread=True)
def export_logs(
    request: Request[Any, Any, Any],
    services: Given[Services],
    zone: Given[Zone],
    delivery_id: Id,
) -> Stream:
    """Give the tracking logs of a delivery, filtered as the page is, as CSV."""
    delivery = _tracked(services, delivery_id)
    chosen = read_filter(
        request.query_params,
        zone=zone,
        rules=services.rules,
    )
    pages = csv_of(
        lambda query: logs.delivery_logs(services.database, services.lake, delivery.id, query),
        chosen.query,
    )
    name = f"delivery-{delivery.id}-tracking-logs.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(pages, media_type="text/csv", headers=headers)


@get("/deliveries/{delivery_id:int}/tracking/urls", sync_to_thread=True)
def show_urls(
    request: Request[Any, Any, Any], services: Given[Services], delivery_id: Id
) -> Template:
    """List the tracked URLs of a delivery, the most clicked first."""
    delivery = _tracked(services, delivery_id)
    with services.database.read() as connection:
        listed = urls.of_delivery(connection, delivery.id)
        clicks = activity.by_url(connection, delivery.id)
        fresh = as_of(connection, ())
    sums = {
        url_id: sum(clicks.get(each, 0) for each in group)
        for url_id, group in url_clicks.together(listed).items()
        if len(group) > 1
    }
    listed.sort(key=lambda url: (-clicks.get(url.id, 0), url.id))
    return page(
        request,
        "delivery_urls.html",
        delivery=delivery,
        tab="tracking",
        view="urls",
        as_of=fresh,
        urls=listed,
        clicks=clicks,
        sums=sums,
        total=sum(clicks.get(url.id, 0) for url in listed),
    )


@get("/deliveries/{delivery_id:int}/urls/{url_id:int}", sync_to_thread=True)
def show_url(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    url_id: Id,
    together: FromQuery[bool] = False,
    offset: Offset = 0,
) -> Template:
    """List the clicks of one tracked URL, or of all that add up with it."""
    delivery = _tracked(services, delivery_id)
    url = url_clicks.of_delivery(services.database, delivery.id, UrlId(url_id))
    with services.database.read() as connection:
        listed = urls.of_delivery(connection, delivery.id)
    group = url_clicks.together(listed)[url.id] if together else {url.id}
    found = url_clicks.clicks_of(
        services.database,
        services.lake,
        [each for each in listed if each.id in group],
        _scope(services, delivery.id, is_all_hits=False),
        page=behind.Page(ROWS, offset),
    )
    with services.database.read() as connection:
        fresh = as_of(connection, ())
    return page(
        request,
        "delivery_url.html",
        delivery=delivery,
        tab="tracking",
        as_of=fresh,
        url=url,
        others=len(group) - 1,
        listing=Listing(found.rows, found.total, offset),
    )


HANDLERS: Final = (
    show_statistics,
    show_activity,
    show_figure,
    show_logs,
    export_logs,
    show_urls,
    show_url,
)


def _boxes(delivery: Delivery, *, has_visits: bool) -> list[Box]:
    if delivery.kind is DeliveryKind.WEB_VISITS:
        return [Box.WEB]
    return [box for box in Box if has_visits or box is not Box.WEB]


def _tracked(services: Services, delivery_id: int) -> Delivery:
    """Give a delivery that has a Tracking tab."""
    with services.database.read() as connection:
        delivery = deliveries.get(connection, DeliveryId(delivery_id))
    if not delivery.is_tracked:
        raise NotFound("tracking of the delivery", f"{delivery.label}: it is off")
    return delivery


def _scope(services: Services, delivery_id: DeliveryId, *, is_all_hits: bool) -> Scope:
    return Scope(
        deliveries=[delivery_id],
        is_all_hits=is_all_hits,
        rules=services.rules,
    )
