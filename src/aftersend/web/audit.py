"""The audit trail: who changed what, when, and how (spec §9.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from aftersend.database import audit
from aftersend.database.audit import AuditEntry
from aftersend.web.display import Zone
from aftersend.web.listing import ROWS, Listing, Offset
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_SHOWN_MAX: Final = 200
"""Characters of a detail that is a text."""

_PAGES: Final = {"workflow": "/workflows/{}", "delivery": "/deliveries/{}"}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as people read it: `address` is the page of what it tells of, if it has one."""

    at: datetime
    entity: str
    name: str
    action: str
    operator: str
    details: Sequence[tuple[str, str]]
    address: str


@get("/audit", sync_to_thread=True)
def show_audit(
    request: Request[Any, Any, Any],
    services: Given[Services],
    zone: Given[Zone],
    offset: Offset = 0,
) -> Template:
    """List what was done, newest first."""
    given = {name: request.query_params.get(name, "").strip() for name in _FILTERS}
    wanted = _wanted(given, zone)
    with services.database.read() as connection:
        entries = audit.entries(connection, **wanted, limit=ROWS, offset=offset)
        total = audit.count(connection, **wanted)
        known = audit.known(connection)
    return page(
        request,
        "audit.html",
        listing=Listing([_row(entry) for entry in entries], total, offset),
        given=given,
        is_set=any(given.values()),
        known={
            "entity": [(value, _words(value)) for value in known["entity"]],
            "action": [(value, _words(value)) for value in known["action"]],
            "operator": [(value, value) for value in known["operator"]],
        },
    )


HANDLERS: Final = (show_audit,)
_FILTERS: Final = ("entity", "action", "operator", "name", "since", "until")


def _wanted(given: Mapping[str, str], zone: Zone) -> dict[str, Any]:
    since, until = _day(given["since"], zone), _day(given["until"], zone)
    return {
        **{name: given[name] or None for name in ("entity", "action", "operator", "name")},
        "since": since and since.astimezone(UTC),
        "until": until and (until + timedelta(days=1)).astimezone(UTC),
    }


def _day(text: str, zone: Zone) -> datetime | None:
    return zone.read(text) if len(text) == len("2026-01-31") else None


def _row(entry: AuditEntry) -> Row:
    pattern = _PAGES.get(entry.entity, "")
    is_linked = bool(pattern) and entry.name.isascii() and entry.name.replace("-", "").isalnum()
    return Row(
        at=entry.at,
        entity=_words(entry.entity),
        name=entry.name,
        action=_words(entry.action),
        operator=entry.operator,
        details=[(_words(key), _text(value)) for key, value in entry.details.items()],
        address=pattern.format(entry.name) if is_linked else "",
    )


def _words(slug: str) -> str:
    words = slug.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _text(value: object) -> str:
    """Spell a value of JSON without its brackets; what is long ends with dots."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    elif isinstance(value, list):
        text = ", ".join(_text(each) for each in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "–" if value is None or value == "" else str(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 1]}…"
