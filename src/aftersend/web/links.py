"""The links of a delivery (Display URLs): how each is tracked and what it is called.

Source: spec §3.4 to §3.6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect, Response, Template

from aftersend.database import deliveries, enumerations
from aftersend.database.enumerations import URL_CATEGORY
from aftersend.database.urls import TrackedUrl
from aftersend.delivery import links, preview
from aftersend.delivery.blocking import set_blocked
from aftersend.delivery.rules import CATEGORY_LENGTH_MAX, EDITABLE, LABEL_LENGTH_MAX
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import TrackingMode
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.reports.scope import as_of
from aftersend.web import url_tree
from aftersend.web.listing import Id
from aftersend.web.login import Form
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_VIEWS: Final = ("list", "tree")
_MODES: Final = tuple((mode.value, mode.label) for mode in TrackingMode)

_Repeated = Annotated[dict[str, str | list[str]], Body(media_type=RequestEncodingType.URL_ENCODED)]


@dataclass(frozen=True, slots=True)
class _Problem:
    """A change that was refused: in words, of which link (none: of several), what was typed."""

    text: str
    url_id: UrlId | None = None
    typed: Mapping[str, str] = field(default_factory=dict)


@get("/deliveries/{delivery_id:int}/links", sync_to_thread=True)
def show_links(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    view: FromQuery[str] = "",
) -> Template:
    """List the links of a delivery, one by one or as a tree."""
    return _draw(request, services, DeliveryId(delivery_id), view)


@post("/deliveries/{delivery_id:int}/links/{url_id:int}", sync_to_thread=True)
def change_link(
    request: Request[Any, Any, Any],
    data: Form,
    services: Given[Services],
    delivery_id: Id,
    url_id: Id,
) -> Response[Any]:
    """Change mode, label or category of one link: what differs from what there is."""
    number, view = DeliveryId(delivery_id), data.get("view", "")
    listed = {url.id: url for url in links.list_urls(services.office, number)}
    url = listed.get(UrlId(url_id))
    if url is None:
        raise NotFound(f"tracked URL of delivery {number}", url_id)
    try:
        changes = _changes(url, data)
        if changes:
            links.set_url(services.office, number, url.id, **changes)
    except NotFound:
        raise
    except InvalidInput as error:
        problem = _Problem(str(error), url.id, data)
        return _draw(request, services, number, view, problem)
    return _to(number, view)


@post("/deliveries/{delivery_id:int}/links/{url_id:int}/block", sync_to_thread=True)
def block_link(
    request: Request[Any, Any, Any],
    data: Form,
    services: Given[Services],
    delivery_id: Id,
    url_id: Id,
) -> Response[Any]:
    """Stop a link that is in people's hands, or let it through again."""
    number, view = DeliveryId(delivery_id), data.get("view", "")
    is_blocked = data.get("to") == "blocked"
    try:
        missed = set_blocked(services.office, number, UrlId(url_id), is_blocked=is_blocked)
    except NotFound:
        raise
    except InvalidInput as error:
        return _draw(request, services, number, view, _Problem(str(error), UrlId(url_id)))
    if missed:
        late = " ".join(
            f"Tracking server {each.server_id} does not know it yet: {each.reason}."
            for each in missed
        )
        return _draw(request, services, number, view, late=late)
    return _to(number, view, place=f"#url-{url_id}")


@post("/deliveries/{delivery_id:int}/links", sync_to_thread=True)
def change_links(
    request: Request[Any, Any, Any], data: _Repeated, services: Given[Services], delivery_id: Id
) -> Response[Any]:
    """Set the links that were chosen to one mode."""
    chosen = data.get("url", [])
    ids = [chosen] if isinstance(chosen, str) else chosen
    return _set(
        request,
        services,
        DeliveryId(delivery_id),
        view="",
        ids=[UrlId(int(each)) for each in ids if each.isdecimal()],
        mode=str(data.get("mode", "")),
    )


@post("/deliveries/{delivery_id:int}/links/tree", sync_to_thread=True)
def change_node(
    request: Request[Any, Any, Any], data: Form, services: Given[Services], delivery_id: Id
) -> Response[Any]:
    """Switch every link of a host or path on or off; those that are so already stay as they are."""
    number, is_on = DeliveryId(delivery_id), data.get("to") == "on"
    nodes = url_tree.tree_of(links.list_urls(services.office, number))
    urls = url_tree.find(nodes, data.get("node", "")).all_urls
    return _set(
        request,
        services,
        number,
        view="tree",
        ids=[url.id for url in urls if url.mode.is_tracked is not is_on],
        mode=TrackingMode.ENABLED if is_on else TrackingMode.NOT_TRACKED,
    )


HANDLERS: Final = (show_links, change_link, block_link, change_links, change_node)


def _set(
    request: Request[Any, Any, Any],
    services: Services,
    delivery_id: DeliveryId,
    *,
    view: str,
    ids: Iterable[UrlId],
    mode: str,
) -> Response[Any]:
    wanted = list(ids)
    if not wanted:
        if view == "tree":
            return _to(delivery_id, view)
        problem = _Problem("No link is chosen: tick those that you want to change.")
        return _draw(request, services, delivery_id, view, problem)
    try:
        links.set_urls(services.office, delivery_id, wanted, mode=_mode(mode))
    except NotFound:
        raise
    except InvalidInput as error:
        return _draw(request, services, delivery_id, view, _Problem(str(error)))
    return _to(delivery_id, view)


def _changes(url: TrackedUrl, data: Mapping[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: data[name].strip()
        for name in ("label", "category")
        if name in data and data[name].strip() != getattr(url, name)
    }
    if "mode" in data and _mode(data["mode"]) is not url.mode:
        changes["mode"] = _mode(data["mode"])
    return changes


def _mode(text: str) -> TrackingMode:
    try:
        return TrackingMode(text)
    except ValueError as error:
        raise InvalidInput(f"There is no mode {text[:100]!r}: choose one of the list.") from error


def _to(delivery_id: DeliveryId, view: str, *, place: str = "") -> Redirect:
    query = f"?view={view}" if view in _VIEWS[1:] else ""
    return Redirect(f"/deliveries/{delivery_id}/links{query}{place}", status_code=303)


def _draw(
    request: Request[Any, Any, Any],
    services: Services,
    delivery_id: DeliveryId,
    view: str,
    problem: _Problem | None = None,
    *,
    late: str = "",
) -> Template:
    found = links.list_urls(services.office, delivery_id)
    with services.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        categories = enumerations.values(connection, URL_CATEGORY)
        texts = deliveries.texts(connection, delivery_id)
        fresh = as_of(connection, ())
    template = page(
        request,
        "delivery_links.html",
        delivery=delivery,
        tab="links",
        as_of=fresh,
        view=view if view in _VIEWS else _VIEWS[0],
        is_editable=delivery.state in EDITABLE,
        urls=found,
        nodes=url_tree.tree_of(found),
        tracked=sum(url.mode.is_tracked for url in found),
        modes=_MODES,
        categories=categories,
        lengths=(LABEL_LENGTH_MAX, CATEGORY_LENGTH_MAX),
        content_problem="" if found else preview.problem(services.office, delivery_id),
        has_html=bool((texts.html or "").strip()),
        problem=problem,
        late=late,
    )
    if problem is not None:
        template.status_code = 422
    return template
