"""Web tags: tracked URLs of pages that tell of themselves, and that belong to no delivery.

Source: spec §1.7, §4.5.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, or_, select, update

from aftersend.database.dialect import insert_or
from aftersend.database.schema import UtcDateTime, tracked_url, tracking_stats
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import TrackingMode, UrlType
from aftersend.model.ids import UrlId
from aftersend.model.tag import FOLDER_LENGTH_MAX, TagSpec, is_tag_id

__all__ = [
    "LABEL_LENGTH_MAX",
    "MADE_BY_PAGES_MAX",
    "TYPES",
    "URL_LENGTH_MAX",
    "Hits",
    "NewTag",
    "Tag",
    "add",
    "by_id",
    "by_tag_id",
    "change",
    "count",
    "ensure",
    "get",
    "hits",
    "page",
]

LABEL_LENGTH_MAX: Final = 255
URL_LENGTH_MAX: Final = 1_000
MADE_BY_PAGES_MAX: Final = 10_000
"""Anybody can name tags that do not exist yet: when there are so many, pages make no more."""
TYPES: Final = {"web": UrlType.WEB, "transaction": UrlType.TRANSACTION}
"""The types by the words of the commands."""
_KEYS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class NewTag:
    """A tag somebody defines; `url` is the page it stands on, for information only."""

    tag_id: str
    label: str
    type: UrlType
    url: str = ""
    folder: str = ""
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """One web tag; hits at `valid_until` and later do not count."""

    id: UrlId
    tag_id: str
    label: str
    type: UrlType
    url: str
    folder: str
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a tag was hit, of what counts, and in which period last."""

    count: int
    last_at: datetime


def add(connection: Connection, new: NewTag) -> Tag:
    """Define a web tag.

    Raises:
        InvalidInput: the identifier is taken, or no tag can be such.
    """
    if not is_tag_id(new.tag_id):
        raise InvalidInput(
            f"{new.tag_id[:150]!r} cannot be the identifier of a tag: take 1 to 128 printable "
            "characters without spaces, | and &."
        )
    if by_tag_id(connection, [new.tag_id]):
        raise InvalidInput(f"There is a tag {new.tag_id} already: take another identifier.")
    if new.type not in TYPES.values():
        raise InvalidInput("A tag is of type web or transaction.")
    row = _row(new) | _checked(label=new.label, url=new.url, folder=new.folder)
    connection.execute(insert(tracked_url).values(row))
    return get(connection, new.tag_id)


def get(connection: Connection, tag_id: str) -> Tag:
    """Give one web tag.

    Raises:
        NotFound: there is none with this identifier.
    """
    found = by_tag_id(connection, [tag_id])
    if tag_id not in found:
        raise NotFound("web tag", tag_id)
    return found[tag_id]


def by_id(connection: Connection, url_id: UrlId) -> Tag:
    """Give the web tag with the id of a tracked URL.

    Raises:
        NotFound: there is none with this id; other tracked URLs are no tags.
    """
    is_wanted = (tracked_url.c.id == url_id, tracked_url.c.tag_id.is_not(None))
    row = connection.execute(select(tracked_url).where(*is_wanted)).one_or_none()
    if row is None:
        raise NotFound("web tag", url_id)
    return _tag(row)


def by_tag_id(connection: Connection, tag_ids: Iterable[str]) -> dict[str, Tag]:
    """Give the tags with these identifiers; unknown ones are left out."""
    keys = list(dict.fromkeys(tag_ids))
    found: dict[str, Tag] = {}
    for start in range(0, len(keys), _KEYS_MAX):
        some = keys[start : start + _KEYS_MAX]
        for row in connection.execute(select(tracked_url).where(tracked_url.c.tag_id.in_(some))):
            found[row.tag_id] = _tag(row)
    return found


def ensure(connection: Connection, tags: Collection[TagSpec]) -> Mapping[str, Tag]:
    """Give the tags that pages name, by identifier; make those that name a type and are missing.

    The type and the folder of a known tag stay. However many do this at once, one identifier has
    one tag. What stays unknown is left out: a plain identifier, and any beyond
    `MADE_BY_PAGES_MAX`.
    """
    known = by_tag_id(connection, (spec.tag_id for spec in tags))
    missing: dict[str, NewTag] = {}
    for spec in tags:
        if spec.type is not None and spec.tag_id not in known:
            new = NewTag(spec.tag_id, spec.tag_id, spec.type, folder=spec.folder)
            missing.setdefault(spec.tag_id, new)
    if not missing:
        return known
    room = max(0, MADE_BY_PAGES_MAX - count(connection))
    rows = [_row(new) for new in list(missing.values())[:room]]
    if rows:
        statement = insert_or(connection, tracked_url)
        connection.execute(statement.on_conflict_do_nothing(index_elements=["tag_id"]), rows)
    return known | by_tag_id(connection, missing)


def change(connection: Connection, tag_id: str, **values: Any) -> Tag:
    """Set the label, url, folder or valid_until of a tag, and give it as it is then.

    Raises:
        NotFound: there is none with this identifier.
        InvalidInput: a text is too long, or the label is empty.
    """
    unknown = values.keys() - {"label", "url", "folder", "valid_until"}
    assert not unknown, f"identifier and type stay: {unknown}"
    get(connection, tag_id)
    texts = _checked(**{name: text for name, text in values.items() if name != "valid_until"})
    if "valid_until" in values:
        texts["valid_until"] = values["valid_until"]
    if texts:
        where = tracked_url.c.tag_id == tag_id
        connection.execute(update(tracked_url).where(where).values(texts))
    return get(connection, tag_id)


def count(connection: Connection, *, search: str = "") -> int:
    """Count web tags; see `page` for `search`."""
    number: int = connection.execute(_searched(select(func.count()), search)).scalar_one()
    return number


def page(
    connection: Connection, *, search: str = "", offset: int = 0, limit: int = 200
) -> list[Tag]:
    """List web tags by identifier; `search` is a part of one, of a label or of a folder."""
    query = _searched(select(tracked_url), search).order_by(tracked_url.c.tag_id)
    return [_tag(row) for row in connection.execute(query.offset(offset).limit(limit))]


def hits(connection: Connection, ids: Collection[UrlId]) -> dict[UrlId, Hits]:
    """Give the hits of tags as they were consolidated last; tags without any are left out.

    Limits: the tags of one page of a list.
    """
    stats = tracking_stats.c
    rows = connection.execute(
        select(
            stats.url_id,
            func.sum(stats.total_clicks),
            func.max(stats.start, type_=UtcDateTime()),
        )
        .where(stats.url_id.in_(ids))
        .group_by(stats.url_id)
    )
    return {UrlId(number): Hits(int(total), last_at) for number, total, last_at in rows}


def _searched(query: Select[Any], search: str) -> Select[Any]:
    table = tracked_url.c
    query = query.select_from(tracked_url).where(table.tag_id.is_not(None))
    if search:
        columns = (table.tag_id, table.label, table.folder)
        query = query.where(or_(*(each.icontains(search, autoescape=True) for each in columns)))
    return query


def _checked(**texts: str) -> dict[str, Any]:
    """Give texts as columns, without the spaces around them."""
    limits = {"label": LABEL_LENGTH_MAX, "url": URL_LENGTH_MAX, "folder": FOLDER_LENGTH_MAX}
    kept: dict[str, Any] = {}
    for name, text in texts.items():
        stripped = text.strip()
        if len(stripped) > limits[name]:
            raise InvalidInput(f"The {name} has more than {limits[name]:,} characters.")
        if not stripped.isprintable():
            raise InvalidInput(f"The {name} has line ends or control characters: leave them out.")
        if name == "label" and not stripped:
            raise InvalidInput("A tag needs a label.")
        kept["source" if name == "url" else name] = stripped
    return kept


def _row(new: NewTag) -> dict[str, Any]:
    return {
        "tag_id": new.tag_id,
        "type": new.type,
        "mode": TrackingMode.ENABLED,
        "part": "",
        "label": new.label,
        "source": new.url,
        "folder": new.folder,
        "valid_until": new.valid_until,
    }


def _tag(row: Any) -> Tag:
    return Tag(
        id=UrlId(row.id),
        tag_id=row.tag_id,
        label=row.label,
        type=UrlType(row.type),
        url=row.source,
        folder=row.folder,
        valid_until=row.valid_until,
    )
