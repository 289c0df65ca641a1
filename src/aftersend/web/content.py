"""The content of a delivery: what one recipient will see, and what is wrong with it.

The HTML of a message is a stranger's: it stands in a frame of its own without scripts, forms and
our origin, loads nothing from anywhere until somebody asks for its pictures, and its links lead
nowhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

from litestar import MediaType, Request, get
from litestar.params import FromQuery
from litestar.response import Response, Template

from aftersend.database import deliveries
from aftersend.database.deliveries import Check
from aftersend.delivery import preview
from aftersend.delivery.preview import Person, Preview
from aftersend.delivery.rules import EDITABLE
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import Part
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.reports.scope import as_of
from aftersend.web.listing import Id
from aftersend.web.security import preview_headers
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_TEXT_LENGTH_MAX: Final = 200_000
_LINES_AROUND: Final = 2
_TARGET_RULES: Final = frozenset(("target", "tracking-server"))


@dataclass(frozen=True, slots=True)
class _View:
    """What stands on the page: a message, or the sentence that says why there is none."""

    preview: Preview | None = None
    problem: str = ""
    line: int = 0
    excerpt: tuple[tuple[int, str], ...] = ()


@get("/deliveries/{delivery_id:int}/content", sync_to_thread=True)
def show_content(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    q: FromQuery[str] = "",
    images: FromQuery[str] = "",
) -> Template:
    """Show the message to one recipient, and what the analysis said of the content."""
    number = DeliveryId(delivery_id)
    person = preview.find_person(services.office, number, q)
    view = _view(services, number, person)
    with services.database.read() as connection:
        delivery = deliveries.get(connection, number)
        checks = deliveries.checks(connection, number)
        fresh = as_of(connection, ())
    text = view.preview.text if view.preview else None
    found = dict.fromkeys([*checks, *preview.advice(services.office, number)])
    return page(
        request,
        "delivery_content.html",
        delivery=delivery,
        tab="content",
        as_of=fresh,
        is_editable=delivery.state in EDITABLE,
        q=q,
        person=person,
        view=view,
        text=None if text is None else text[:_TEXT_LENGTH_MAX],
        is_text_cut=len(text or "") > _TEXT_LENGTH_MAX,
        has_images=images == "yes",
        frame=urlencode({"email": person.addressee.address or q, "images": images}),
        checks=_diagnostics(found, view.problem),
    )


@get("/deliveries/{delivery_id:int}/preview", sync_to_thread=True)
def show_preview(
    services: Given[Services],
    delivery_id: Id,
    email: FromQuery[str] = "",
    part: FromQuery[str] = Part.HTML.value,
    url: FromQuery[int] = 0,
    images: FromQuery[str] = "",
) -> Response[str]:
    """Give one part of a message for a frame: nothing in it acts, and nothing is counted."""
    number, marked = DeliveryId(delivery_id), UrlId(url) if url > 0 else None
    is_loading = images == "yes"
    person = preview.find_person(services.office, number, email)
    status = 200
    try:
        if part == Part.TEXT:
            html = preview.draw_text(services.office, number, person.addressee, marked=marked)
        else:
            html = preview.draw_html(
                services.office, number, person.addressee, marked=marked, is_loading=is_loading
            )
    except InvalidContent as error:
        html, status = f"<!doctype html><p>{escape(str(error))}</p>", 422
    return Response(
        html,
        media_type=MediaType.HTML,
        status_code=status,
        headers=preview_headers(is_loading=is_loading),
    )


HANDLERS: Final = (show_content, show_preview)


def _view(services: Services, delivery_id: DeliveryId, person: Person) -> _View:
    if person.matches:
        return _View()
    try:
        return _View(preview.preview(services.office, delivery_id, person.addressee))
    except InvalidContent as error:
        excerpt = _excerpt(services, delivery_id, error)
        return _View(problem=str(error), line=error.line, excerpt=excerpt)


def _excerpt(
    services: Services, delivery_id: DeliveryId, error: InvalidContent
) -> tuple[tuple[int, str], ...]:
    """Give the line that an error names and its neighbours, numbered."""
    if error.part not in ("html", "text"):
        return ()
    with services.database.read() as connection:
        written = getattr(deliveries.texts(connection, delivery_id), error.part)
        prepared = getattr(deliveries.expanded(connection, delivery_id), error.part)
    # Once instructions have put texts into it, lines are not those of the author any more.
    if written is None or written != prepared:
        return ()
    lines = written.split("\n")
    first = max(error.line - 1 - _LINES_AROUND, 0)
    return tuple(enumerate(lines[first : error.line + _LINES_AROUND], first + 1))


def _diagnostics(found: Iterable[Check], problem: str) -> list[Check]:
    """Leave out what is not about the content or said above already; the worst comes first."""
    kept = [
        check
        for check in found
        if check.rule not in _TARGET_RULES and check.text != problem and check.rule != "untracked"
    ]
    return sorted(kept, key=lambda check: -check.level)
