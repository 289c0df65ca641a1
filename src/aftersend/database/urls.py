"""Tracked URLs: the links of a delivery, each with the id that tokens carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select, update

from aftersend.database.dialect import insert_or
from aftersend.database.schema import tracked_url
from aftersend.errors import NotFound
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId

__all__ = [
    "NewUrl",
    "TrackedUrl",
    "blocked",
    "change",
    "get",
    "honeypot",
    "of_delivery",
    "refresh",
    "set_honeypot",
    "source_hash",
]

_HONEYPOT: Final = "honeypot"
_CHANGING: Final = (
    "type",
    "mode",
    "label",
    "category",
    "occurrences",
    "found_mode",
    "found_label",
    "found_category",
)


@dataclass(frozen=True, slots=True)
class NewUrl:
    """A link that was found in a content.

    The `found_…` are what the content itself asked for; mode, label and category are what became of
    it.
    """

    part: Part
    source: str
    type: UrlType
    mode: TrackingMode
    label: str
    occurrences: int
    category: str = ""
    found_mode: str = ""
    found_label: str = ""
    found_category: str = ""


@dataclass(frozen=True, slots=True)
class TrackedUrl:
    """One link of one part of one delivery (spec §1.7).

    The `found_…` are what the content asked for when it was last read, empty when nobody knows.
    Whoever clicks a link that `is_blocked` is shown a page that says so, and led nowhere.
    """

    id: UrlId
    delivery_id: DeliveryId
    part: Part
    source: str
    type: UrlType
    mode: TrackingMode
    label: str
    category: str
    occurrences: int
    found_mode: str = ""
    found_label: str = ""
    found_category: str = ""
    is_blocked: bool = False


def get(connection: Connection, url_id: UrlId) -> TrackedUrl:
    """Give one tracked URL.

    Raises:
        NotFound: there is none with this id; the shared "Open" belongs to no delivery, and the
            hidden link is none of its author.
    """
    row = connection.execute(
        select(tracked_url).where(
            tracked_url.c.id == url_id,
            tracked_url.c.delivery_id.is_not(None),
            tracked_url.c.type != UrlType.HONEYPOT,
        )
    ).one_or_none()
    if row is None:
        raise NotFound("tracked URL", url_id)
    return _tracked_url(row)


def of_delivery(connection: Connection, delivery_id: DeliveryId) -> list[TrackedUrl]:
    """List the links of a delivery in the order they were found; the hidden one is none of them."""
    query = select(tracked_url).where(
        tracked_url.c.delivery_id == delivery_id, tracked_url.c.type != UrlType.HONEYPOT
    )
    return [_tracked_url(row) for row in connection.execute(query.order_by(tracked_url.c.id))]


def honeypot(connection: Connection, delivery_id: DeliveryId) -> UrlId | None:
    """Give the hidden link of a delivery, if it has one."""
    query = select(tracked_url.c.id).where(_is_honeypot(delivery_id))
    number = connection.execute(query).scalar_one_or_none()
    return None if number is None else UrlId(number)


def set_honeypot(connection: Connection, delivery_id: DeliveryId, *, is_wanted: bool) -> None:
    """Give a delivery its hidden link, or take it away; one that it has keeps its id."""
    if not is_wanted:
        connection.execute(delete(tracked_url).where(_is_honeypot(delivery_id)))
        return
    trap = NewUrl(
        part=Part.HTML,
        source=_HONEYPOT,
        type=UrlType.HONEYPOT,
        mode=TrackingMode.ENABLED,
        label=UrlType.HONEYPOT.label,
        occurrences=1,
    )
    # Blocked from its first day: whoever follows it is led nowhere.
    row = {**_row(delivery_id, trap), "is_blocked": True}
    connection.execute(insert_or(connection, tracked_url).on_conflict_do_nothing(), row)


def blocked(connection: Connection, delivery_id: DeliveryId) -> frozenset[UrlId]:
    """Tell which links of a delivery an operator has stopped."""
    query = select(tracked_url.c.id).where(
        tracked_url.c.delivery_id == delivery_id, tracked_url.c.is_blocked.is_(True)
    )
    return frozenset(UrlId(number) for number in connection.execute(query).scalars())


def refresh(connection: Connection, delivery_id: DeliveryId, found: Sequence[NewUrl]) -> None:
    """Make the list of a delivery that of its content.

    A link that was there keeps its id. However many do this at once, one link of one part has one
    row.
    """
    known = {(url.part, url.source): url for url in of_delivery(connection, delivery_id)}
    gone = known.keys() - {(url.part, url.source) for url in found}
    if gone:
        ids = [known[key].id for key in gone]
        connection.execute(delete(tracked_url).where(tracked_url.c.id.in_(ids)))
    if found:
        statement = insert_or(connection, tracked_url)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["delivery_id", "part", "source_hash"],
                set_={name: statement.excluded[name] for name in _CHANGING},
            ),
            [_row(delivery_id, url) for url in found],
        )


def change(connection: Connection, url_id: UrlId, **values: Any) -> None:
    """Set columns of a tracked URL."""
    connection.execute(update(tracked_url).where(tracked_url.c.id == url_id).values(values))


def source_hash(source: str) -> str:
    """Give the key of a URL's text: its SHA-256 in hex."""
    return sha256(source.encode()).hexdigest()


def _is_honeypot(delivery_id: DeliveryId) -> ColumnElement[bool]:
    return (tracked_url.c.delivery_id == delivery_id) & (tracked_url.c.type == UrlType.HONEYPOT)


def _row(delivery_id: DeliveryId, url: NewUrl) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "type": url.type,
        "mode": url.mode,
        "part": url.part,
        "label": url.label,
        "category": url.category,
        "source": url.source,
        "occurrences": url.occurrences,
        "found_mode": url.found_mode,
        "found_label": url.found_label,
        "found_category": url.found_category,
    }


def _tracked_url(row: Any) -> TrackedUrl:
    return TrackedUrl(
        id=UrlId(row.id),
        delivery_id=DeliveryId(row.delivery_id),
        part=Part(row.part),
        source=row.source,
        type=UrlType(row.type),
        mode=TrackingMode(row.mode),
        label=row.label,
        category=row.category,
        occurrences=row.occurrences,
        found_mode=row.found_mode,
        found_label=row.found_label,
        found_category=row.found_category,
        is_blocked=row.is_blocked,
    )
