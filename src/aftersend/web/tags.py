"""Web tags: the list, one tag with the HTML that goes onto its page, and making a new one.

Source: spec §4.5.
"""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template

from aftersend.database import tags
from aftersend.database.tags import NewTag, Tag
from aftersend.delivery.tag_html import Filling, formula_of, html_of, server_call, server_of
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import UrlType, WebTrackingMode
from aftersend.model.ids import UrlId
from aftersend.model.tag import FOLDER_LENGTH_MAX, TAG_ID_LENGTH_MAX
from aftersend.web.display import Zone
from aftersend.web.listing import ROWS, Id, Listing, Offset
from aftersend.web.login import Form
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_LENGTHS: Final = {
    "tag_id": TAG_ID_LENGTH_MAX,
    "label": tags.LABEL_LENGTH_MAX,
    "url": tags.URL_LENGTH_MAX,
    "folder": FOLDER_LENGTH_MAX,
}
_EMPTY: Final = dict.fromkeys(("tag_id", "label", "url", "folder", "valid_until"), "") | {
    "type": "web"
}
_FIELD: Final = "%Y-%m-%dT%H:%M"


@get("/web-tags", sync_to_thread=True)
def show_tags(
    request: Request[Any, Any, Any],
    services: Given[Services],
    q: FromQuery[str] = "",
    offset: Offset = 0,
) -> Template:
    """List the web tags whose identifier, label or folder holds `q`."""
    search = q.strip()
    with services.database.read() as connection:
        rows = tags.page(connection, search=search, offset=offset, limit=ROWS)
        total = tags.count(connection, search=search)
        hits = tags.hits(connection, [tag.id for tag in rows])
    return page(
        request,
        "web_tags.html",
        listing=Listing(rows, total, offset),
        hits=hits,
        now=services.clock.now(),
        q=q,
        mode=WebTrackingMode(services.settings.web_tracking.mode).label,
        script=f'<script src="{services.addresses.redirect}/r/consent.js"'
        ' data-banner="all-pages" defer></script>',
    )


@get("/web-tags/new", sync_to_thread=False)
def show_new(request: Request[Any, Any, Any]) -> Template:
    """Show the form of a new tag."""
    return _draw_new(request, _EMPTY)


@post("/web-tags", sync_to_thread=True)
def add_tag(
    request: Request[Any, Any, Any], data: Form, services: Given[Services], zone: Given[Zone]
) -> Response[Any]:
    """Define a tag, and lead to its HTML."""
    fields = {**_EMPTY, **data}
    try:
        kind, changes = _type(fields["type"]), _changes(fields, zone)
        with services.database.write() as connection:
            tag = tags.add(connection, NewTag(fields["tag_id"].strip(), type=kind, **changes))
    except InvalidInput as error:
        return _draw_new(request, fields, str(error))
    return Redirect(f"/web-tags/{tag.id}", status_code=303)


@get("/web-tags/{url_id:int}", sync_to_thread=True)
def show_tag(
    request: Request[Any, Any, Any],
    services: Given[Services],
    zone: Given[Zone],
    url_id: Id,
    saved: FromQuery[str] = "",
) -> Template:
    """Show one tag and its HTML, filled in as the query says."""
    return _draw(request, services, zone, url_id, is_saved=saved == "yes")


@post("/web-tags/{url_id:int}", sync_to_thread=True)
def change_tag(
    request: Request[Any, Any, Any],
    data: Form,
    services: Given[Services],
    zone: Given[Zone],
    url_id: Id,
) -> Response[Any]:
    """Change what may be changed of a tag."""
    try:
        with services.database.write() as connection:
            tag = tags.by_id(connection, UrlId(url_id))
            changes = _changes({**_fields(tag, zone), **data}, zone)
            tags.change(connection, tag.tag_id, **changes)
    except NotFound:
        raise
    except InvalidInput as error:
        return _draw(request, services, zone, url_id, typed=data, problem=str(error))
    return Redirect(f"/web-tags/{url_id}?saved=yes", status_code=303)


HANDLERS: Final = (show_tags, show_new, add_tag, show_tag, change_tag)


def _type(text: str) -> UrlType:
    if text not in tags.TYPES:
        raise InvalidInput("A tag is of type web or transaction.")
    return tags.TYPES[text]


def _changes(fields: Mapping[str, str], zone: Zone) -> dict[str, Any]:
    text = fields["valid_until"].strip()
    until = zone.read(text) if text else None
    if text and until is None:
        raise InvalidInput("The end is no date and time: write it like 2027-01-31T18:00.")
    return {name: fields[name] for name in ("label", "url", "folder")} | {"valid_until": until}


def _fields(tag: Tag, zone: Zone) -> dict[str, str]:
    """Spell a tag for the form."""
    until = tag.valid_until
    return {
        "label": tag.label,
        "url": tag.url,
        "folder": tag.folder,
        "valid_until": "" if until is None else until.astimezone(zone.tz).strftime(_FIELD),
    }


def _draw_new(
    request: Request[Any, Any, Any], fields: Mapping[str, str], problem: str = ""
) -> Template:
    template = page(request, "web_tag_new.html", fields=fields, lengths=_LENGTHS, problem=problem)
    if problem:
        template.status_code = 422
    return template


def _draw(
    request: Request[Any, Any, Any],
    services: Services,
    zone: Zone,
    url_id: int,
    *,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
    is_saved: bool = False,
) -> Template:
    with services.database.read() as connection:
        tag = tags.by_id(connection, UrlId(url_id))
        hits = tags.hits(connection, [tag.id]).get(tag.id)
        formula = formula_of(connection)
    asked = request.query_params
    wanted = {name: asked.get(name, "") for name in ("amount", "article", "own", "brand")}
    wanted["consent"] = "yes" if asked.get("consent") else ""
    html = call = unwritten = ""
    try:
        server = server_of(services.office, wanted["brand"])
        filling = _filling(tag, wanted)
        html = html_of(tag, filling, server=server, formula=formula)
        call = server_call(tag, filling, server=server)
    except InvalidInput as error:
        unwritten = str(error)
    template = page(
        request,
        "web_tag.html",
        tag=tag,
        fields={**_fields(tag, zone), **(typed or {})},
        hits=hits,
        is_over=tag.valid_until is not None and tag.valid_until <= services.clock.now(),
        is_transaction=tag.type is UrlType.TRANSACTION,
        lengths=_LENGTHS,
        wanted=wanted,
        brands=list(services.office.brands),
        is_own_html=bool(formula),
        html=html,
        call=call,
        unwritten=unwritten,
        problem=problem,
        is_saved=is_saved,
    )
    if problem or unwritten:
        template.status_code = 422
    return template


def _filling(tag: Tag, wanted: Mapping[str, str]) -> Filling:
    """Read what the HTML is filled with; of parameters, each is a name or name=value."""
    pairs = (pair.partition("=") for pair in wanted["own"].replace(",", " ").split())
    is_transaction = tag.type is UrlType.TRANSACTION
    return Filling(
        wanted["amount"].strip() if is_transaction else "",
        wanted["article"].strip() if is_transaction else "",
        {name: value for name, _, value in pairs},
        is_consent_needed=bool(wanted["consent"]),
    )
