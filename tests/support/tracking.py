"""A small instance for the Tracking workflow: some deliveries, and tracking servers with lines.

`python -m tests.support.tracking FOLDER POINT TIME` runs the workflow in FOLDER over the lines of
`STORY` and kills itself when it passes POINT for the TIME-th time.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from aftersend.database import schema
from aftersend.database.engine import Database, open_engine
from aftersend.errors import Transient
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.lake.table import Lake
from aftersend.model import logline
from aftersend.model.enumeration import DeliveryKind, DeliveryState, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LogLine
from aftersend.model.run import Counts
from aftersend.platform.clock import ManualClock
from aftersend.settings import TrackingSettings, WebTrackingSettings
from aftersend.tracking import inbox
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.source import Chunk, Source, pages
from aftersend.tracking.steps import STEPS, Context
from tests.support import naive
from tests.support.naive import NaiveHit

__all__ = [
    "LATE",
    "NOW",
    "STORY",
    "STORY_MODE",
    "FakeSource",
    "Visit",
    "World",
    "add_message",
    "begun_world",
    "keep_lines",
    "line",
    "make_visited_world",
    "make_world",
    "story_sources",
]

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
SEGMENT_LINES = 7
LATE = 10
"""A message of delivery 2 that nobody knows when its first hits come."""
STORY_MODE = "anonymous-last"
_STATISTICS = (
    schema.delivery_indicator,
    schema.delivery_log_stats,
    schema.delivery_rule_stats,
    schema.tracking_stats,
    schema.user_agent,
    schema.user_agent_stats,
)


@dataclass(slots=True)
class FakeSource:
    """A tracking server in memory: lines with their numbers; damaged ones have none.

    `read` gives at most `lines_max` good lines at once, with the damaged ones before them.
    """

    server: ServerId
    lines: Sequence[tuple[int | None, bytes]]
    lines_max: int = 3
    is_down: bool = False
    acknowledged: int = 0

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Give all lines, page by page."""
        return pages(self.read, after)

    def read(self, after: int) -> Chunk | None:
        """Give the next lines of one segment."""
        self._must_be_up()
        begin = 0
        for index, (number, _) in enumerate(self.lines):
            if number is not None and number <= after:
                begin = index + 1
        segment = begin // SEGMENT_LINES
        data, last, count, end = b"", None, 0, begin
        for index in range(begin, min(len(self.lines), (segment + 1) * SEGMENT_LINES)):
            number, raw = self.lines[index]
            data += raw
            if number is not None:
                last, count, end = number, count + 1, len(data)
            if count == self.lines_max:
                break
        if last is None:
            return None
        offset = sum(len(raw) for _, raw in self.lines[segment * SEGMENT_LINES : begin])
        return Chunk(last, data[:end], f"0x{segment:016X}.log", offset)

    def acknowledge(self, number: int) -> None:
        """Note what the workflow has for good."""
        self._must_be_up()
        self.acknowledged = max(self.acknowledged, number)

    def _must_be_up(self) -> None:
        if self.is_down:
            raise Transient(f"Tracking server {self.server} does not answer.")


@dataclass(frozen=True, slots=True)
class Visit:
    """What one web tag told of."""

    at: datetime
    parameters: str
    source_id: str = ""
    message_id: int = 0
    delivery_id: int = 0
    flags: str = "0"
    url_id: int = 0


@dataclass(slots=True)
class World:
    """Everything that lasts, in one folder."""

    directory: Path
    database: Database
    lake: Lake
    clock: ManualClock
    load_lines_max: int = 10
    web_tracking: WebTrackingSettings = field(default_factory=WebTrackingSettings)
    counts: list[Counts] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        """Give the folder of the inbox."""
        return self.directory / "inbox"

    def context(
        self, sources: Sequence[Source], passing: Callable[[str], None] = lambda _point: None
    ) -> Context:
        """Give the steps what they need."""
        settings = TrackingSettings().model_copy(update={"load_lines_max": self.load_lines_max})
        return Context(
            database=self.database,
            lake=self.lake,
            sources=sources,
            inbox=self.inbox,
            clock=self.clock,
            settings=settings,
            web_tracking=self.web_tracking,
            passing=passing,
        )

    def run(
        self, sources: Sequence[Source], passing: Callable[[str], None] = lambda _point: None
    ) -> Counts:
        """Run all steps and check the equation of each."""
        context = self.context(sources, passing)
        counts = Counts()
        for step in STEPS:
            report = step.do(context)
            assert report.counts.is_balanced, report
            counts += report.counts
        self.counts.append(counts)
        self.clock.advance(3600)
        return counts

    def hits(self) -> list[dict[str, Any]]:
        """List everything in the lake, by log id."""
        connection = duckdb.connect(threads=1)
        try:
            rows = hits(connection, self.lake).order_by("log_id").to_pyarrow()
        finally:
            connection.disconnect()
        return list(rows.to_pylist())

    def rejected(self) -> list[tuple[str, str, int, str, bytes]]:
        """List the rejected lines: server, segment, offset, reason, bytes."""
        rows = self.lake.rejected.load().to_pyarrow_table().to_pylist()
        names = ("server", "segment", "offset", "reason", "bytes")
        return sorted(tuple(row[name] for name in names) for row in rows)

    def state(self) -> dict[str, Any]:
        """Tell all that lasts, but for when and in how many pieces it was done."""
        with self.database.read() as connection:
            statistics = {table.name: _rows(connection, table) for table in _STATISTICS}
            visits = _named(connection)
        return {
            "hits": self.hits(),
            "visits": visits,
            "rejected": self.rejected(),
            "pointers": {server: self.lake.pointer(ServerId(server)) for server in "12"},
            "inbox": sorted(path.name for path in self.inbox.rglob("*.lines")),
            **statistics,
        }


def keep_lines(
    world: World, server: str, entries: Sequence[NaiveHit | Visit], first: int = 1
) -> None:
    """Put lines into the inbox as if they had been downloaded, numbered from `first` on."""
    data = b"".join(line(entry, server, first + at) for at, entry in enumerate(entries))
    last = first + len(entries) - 1
    stretch = Stretch(first, last, f"0x{first:016X}.log", 0, data)
    inbox.keep(world.inbox, ServerId(server), stretch)


def _named(connection: Connection) -> list[Any]:
    """List the web tags, and the deliveries that nobody made but the workflow."""
    tag, delivery = schema.tracked_url.c, schema.delivery.c
    tags = select(tag.id, tag.tag_id, tag.type, tag.folder).where(tag.tag_id.is_not(None))
    made = select(delivery.id, delivery.internal_name, delivery.state, delivery.kind)
    made = made.where(delivery.kind == DeliveryKind.WEB_VISITS)
    return [*connection.execute(tags.order_by(tag.id)), *connection.execute(made)]


def _rows(connection: Connection, table: Table) -> list[Any]:
    columns = [each for each in table.columns if each.name not in ("computed_at", "lake_version")]
    return list(connection.execute(select(*columns).order_by(*table.primary_key)))


def line(hit: NaiveHit | Visit, server: str, number: int, **changes: Any) -> bytes:
    """Spell the line of a hit."""
    values: dict[str, Any] = {
        "server": ServerId(server),
        "number": number,
        "at": hit.at,
        "message_id": MessageId(hit.message_id),
        "delivery_id": DeliveryId(hit.delivery_id),
        "url_id": UrlId(hit.url_id),
        "flags": hit.flags,
        "source_id": hit.source_id,
        "part": "" if isinstance(hit, Visit) else "h",
        "parameters": hit.parameters if isinstance(hit, Visit) else "",
        "user_agent": f"Browser/{hit.message_id}",
        "address": "127.0.0.1",
    }
    if isinstance(hit, NaiveHit) and hit.url_id == naive.ORDER:
        told = {"amount": hit.amount, "article": hit.article}
        pairs = [f"{name}={value:f}" for name, value in told.items() if value is not None]
        values["parameters"] = "&".join(pairs).replace(".000000", "")
    return logline.encode(LogLine(**{**values, **changes}))


def make_world(directory: Path, mode: str = "session") -> World:
    """Make an instance with the deliveries, links and messages of `naive`, or open it again."""
    directory.mkdir(exist_ok=True)
    is_new = not (directory / "db.sqlite").exists()
    engine = open_engine(f"sqlite:///{directory / 'db.sqlite'}")
    database = Database(engine)
    if is_new:
        schema.metadata.create_all(engine)
        _fill(database)
    clock = ManualClock(NOW)
    lake = Lake.open(str(directory / "lake"), options={}, clock=clock)
    web_tracking = WebTrackingSettings.model_validate(
        {"mode": mode, "recipient_fields": ("email", "account")}
    )
    return World(directory, database, lake, clock, web_tracking=web_tracking)


def make_visited_world(directory: Path, mode: str = STORY_MODE) -> World:
    """Make an instance that knows its recipients: accounts are A 0 to A 6, A 1 and A 2 twice."""
    world = make_world(directory, mode)
    with world.database.write() as connection:
        for number in sorted(set(naive.MESSAGES) - {naive.SEED}):
            domain = NaiveHit("", NOW, number, 1).domain
            connection.execute(
                insert(schema.recipient).values(
                    id=100 + number,
                    email=f"person{number}@{domain}",
                    domain=domain,
                    fields={"account": f"A {number % 7}"},
                    created_at=NOW,
                    modified_at=NOW,
                )
            )
    return world


def begun_world(directory: Path) -> World:
    """Make an instance that has loaded and consolidated the beginning of the story."""
    world = make_visited_world(directory)
    world.run([replace(source, lines=source.lines[:2]) for source in story_sources()])
    add_message(world, LATE)
    return world


def add_message(world: World, number: int, delivery: int = 2) -> None:
    """Make a message known that was sent with the others."""
    with world.database.write() as connection:
        connection.execute(insert(schema.message).values(_message(number, delivery)))


def _fill(database: Database) -> None:
    sent = NOW - timedelta(days=2)
    with database.write() as connection:
        alias = {"enumeration": "domain", "alias": "example0.com", "value": "Gmail"}
        connection.execute(insert(schema.enumeration_alias).values(**alias, modified_at=sent))
        for number in sorted(set(naive.MESSAGES.values())):
            connection.execute(
                insert(schema.delivery).values(
                    id=number,
                    internal_name=f"DM{number}",
                    label=f"Delivery {number}",
                    state=DeliveryState.FINISHED,
                    sender="news@example.com",
                    subject="News",
                    created_at=sent,
                    modified_at=sent,
                    contact_at=sent,
                )
            )
        for number, kind in naive.URL_TYPES.items():
            connection.execute(
                insert(schema.tracked_url).values(
                    id=number,
                    delivery_id=1 if number == naive.URL_OF_DELIVERY_1 else None,
                    type=kind,
                    mode="enabled",
                    part="h",
                    label="",
                    source=str(number),
                )
            )
        for number, delivery in naive.MESSAGES.items():
            connection.execute(insert(schema.message).values(_message(number, delivery)))


def _message(number: int, delivery: int) -> dict[str, Any]:
    domain = NaiveHit("", NOW, number, 1).domain
    return {
        "id": number,
        "delivery_id": delivery,
        "recipient_id": 0 if number == naive.SEED else 100 + number,
        "address": f"person{number}@{domain}",
        "domain": domain,
        "is_seed": number == naive.SEED,
        "status": MessageStatus.FAILED if number == 9 else MessageStatus.SENT,
        "event_at": NOW - timedelta(days=2),
    }


def numbered(
    server: str, story: Sequence[NaiveHit | Visit | bytes]
) -> Iterator[tuple[int | None, bytes]]:
    """Number the hits of a story as a tracking server does; bytes are damaged lines."""
    number = 0
    for entry in story:
        if isinstance(entry, bytes):
            yield None, entry
        else:
            number += 1
            yield number, line(entry, server, number)


def _at(minutes: float) -> datetime:
    return naive.START + timedelta(minutes=minutes)


STORY: Mapping[str, Sequence[NaiveHit | Visit | bytes]] = {
    "1": [
        NaiveHit("", _at(0), 1, 1),
        Visit(_at(0.2), "", message_id=LATE, delivery_id=2, url_id=1),
        NaiveHit("", _at(0.5), 1, 1),
        NaiveHit("", _at(1), 1, 2, "browser-1"),
        Visit(_at(1.1), "tagid=home%7Cw", "browser-1"),
        b"damaged\n",
        NaiveHit("", _at(2), 2, 2),
        NaiveHit("", _at(3), 3, 2, "browser-2"),
        NaiveHit("", _at(4), 4, 5, "browser-3"),
        b"\tdamaged\n",
        b"\n",
        NaiveHit("", _at(5), 5, 1, flags="h"),
        NaiveHit("", _at(6), 6, 3, "browser-1"),
        NaiveHit("", _at(7), 6, 20, "browser-1"),
        NaiveHit("", _at(8), 2, 20, "browser-1"),
        NaiveHit("", _at(9), 2, 4),
        Visit(_at(9.5), "tagid=order%7Ct%7CShop&amount=10.5&article=2", "browser-2"),
        Visit(_at(9.6), "tagid=home", "browser-9"),
        Visit(_at(9.7), "tagid=home", ""),
        Visit(_at(9.8), "tagid=nowhere", "browser-1"),
        NaiveHit("", _at(1.5), 2, 1),
        NaiveHit("", _at(11), 7, 1),
        NaiveHit("", _at(12), 8, 1),
        NaiveHit("", _at(13), 9, 2),
    ],
    "2": [
        NaiveHit("", _at(1.2), 2, 1),
        Visit(_at(1.3), "", "browser-5", LATE, 2, url_id=2),
        NaiveHit("", _at(2.5), 2, 1),
        NaiveHit("", _at(-1440), 6, 1),
        b"x" * 20_000 + b"\n",
        NaiveHit("", _at(4), 1, 3, "browser-2"),
        NaiveHit("", _at(5), 1, naive.ORDER, "browser-2", amount=19.99, article=2),
        Visit(_at(-1441), "tagid=home%7Cw", "browser-1"),
        Visit(_at(5.5), "tagid=home%7Cw&rcpid=email%3Dperson4%40example0.com", "browser-9", 0, 2),
    ],
}
"""What two tracking servers have written: repeats across both, damage, a link of another delivery,
a hit of the day before, times out of order; web visits before and after somebody is known; hits
of a message that becomes known late."""


def story_sources(lines_max: int = 3) -> list[FakeSource]:
    """Give the servers of the story."""
    return [
        FakeSource(ServerId(server), list(numbered(server, story)), lines_max)
        for server, story in STORY.items()
    ]


def _main(directory: str, point: str, time: str) -> None:
    left = int(time)

    def die(passed: str) -> None:
        nonlocal left
        left -= passed == point
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    make_world(Path(directory), STORY_MODE).run(story_sources(), die)


if __name__ == "__main__":
    _main(*sys.argv[1:])
