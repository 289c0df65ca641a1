"""Lives of a tracking instance, step by step as Hypothesis wants them, held against `reference`."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import Table, insert, select

from aftersend.database import schema
from aftersend.database.user_agents import agent_id
from aftersend.model import logline
from aftersend.model.enumeration import MessageStatus, UrlType
from aftersend.model.ids import DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LogLine, log_id
from aftersend.model.run import Counts
from aftersend.tracking.consolidate import recompute
from aftersend.tracking.steps import STEPS
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.reference import AGENTS, SCANNER, Hit, Message, figures
from tests.support.tracking import NOW, SEGMENT_LINES, FakeSource, make_world

__all__ = ["KNOWN", "SERVERS", "Life", "scenes", "shot"]

SERVERS: Final = "12"
CLOCKS: Final = {"1": timedelta(0), "2": timedelta(minutes=3, seconds=7)}
"""By how much the clock of each server is fast."""

START: Final = datetime(2026, 1, 2, 23, 58, tzinfo=UTC)
HONEYPOT_URL: Final = 30
URLS: Final = {1: 2, 2: 1, 3: 1, 4: 3, 5: 6, 6: 4, naive.ORDER: 5, HONEYPOT_URL: 90}

KNOWN: Final = [
    *(
        Message(
            id=number,
            delivery_id=delivery,
            recipient_id=0 if number == naive.SEED else 100 + number,
            domain=NaiveHit("", START, number, 1).domain,
            is_seed=number == naive.SEED,
            is_failed=number == 9,
        )
        for number, delivery in naive.MESSAGES.items()
    ),
    Message(11, 1, 111, "gmail.com"),
    Message(12, 1, 112, "googlemail.com"),
    Message(13, 2, 111, "AOL.de"),
]
LATER: Final = [Message(21, 1, 121, "gmail.com"), Message(22, 3, 122, "example.com")]
"""Messages that the control plane does not know at first."""

DAMAGED: Final = (b"damaged\n", b"\t" * 10 + b"\n", b"\xff\xfe\n", b"\n")

_FIGURES: Final[Mapping[str, Table]] = {
    "delivery_indicator": schema.delivery_indicator,
    "delivery_log_stats": schema.delivery_log_stats,
    "tracking_stats": schema.tracking_stats,
    "delivery_rule_stats": schema.delivery_rule_stats,
    "user_agent_stats": schema.user_agent_stats,
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One hit of a scene: seconds behind its begin, and what differs from a plain click."""

    after_s: float
    url_id: int = 2
    flags: str = "0"
    agent: int = 0
    address: str = "127.0.0.1"


PEOPLE: Final[Sequence[Sequence[Shot]]] = (
    (Shot(0, 1),),
    (Shot(0, 1), Shot(59.999999, 1), Shot(119.999999, 1, agent=1)),
    (Shot(0, 1), Shot(60, 1)),
    (Shot(0, 1, agent=5), Shot(8, 2)),
    (Shot(0, 2), Shot(0.5, 2), Shot(1.000001, 3)),
    (Shot(0, 4), Shot(30, 5)),
    (Shot(0, 3, flags="x"), Shot(40, 6), Shot(41, naive.ORDER)),
)
MACHINES: Final[Sequence[Sequence[Shot]]] = (
    (Shot(0, 2), Shot(1, 3), Shot(2, 4)),
    (Shot(0, 1), Shot(0, 1, agent=5), Shot(60, 2), Shot(60.4, 3)),
    (Shot(0, 1), Shot(0.000001, 2), Shot(60.000001, 3), Shot(61, 2)),
    (Shot(0, 2), Shot(5, HONEYPOT_URL), Shot(15, 3), Shot(15.000001, 4), Shot(6, 6)),
    (Shot(0, 1), Shot(10, HONEYPOT_URL, flags="h"), Shot(11, 2)),
    (Shot(0, 2, flags="u"), Shot(10, 2), Shot(10.000001, 3)),
    (Shot(0, 3, flags="p"), Shot(0, 2, flags="uh"), Shot(3, 2)),
    (Shot(0, 1, agent=4), Shot(1, 1, agent=2), Shot(2, 2, agent=3), Shot(3, 6, agent=3)),
    (Shot(0, 2, address=SCANNER), Shot(20, 1, address=SCANNER), Shot(40, 1)),
    (Shot(0, 1, flags="h"), Shot(1, 1)),
)


@st.composite
def scenes(draw: st.DrawFn) -> list[tuple[str, Hit]]:
    """Make what happens to one message within minutes: servers, and hits without a log id.

    Hits come in any order, and their times lie around midnight, so days differ.
    """
    message = draw(st.sampled_from([*KNOWN, *LATER]))
    begin = START + timedelta(seconds=draw(st.sampled_from([0, 1, 59, 118, 121, 299, 700])))
    shots = draw(st.sampled_from([*PEOPLE, *MACHINES]))
    source_id = draw(st.sampled_from(["", "browser-1", "browser-2"]))
    is_spread = draw(st.booleans())
    server = draw(st.sampled_from(SERVERS))
    hits = []
    for place, shot in enumerate(draw(st.permutations(shots))):
        written_by = SERVERS[place % 2] if is_spread else server
        at = begin + timedelta(seconds=shot.after_s) + CLOCKS[written_by]
        is_order = shot.url_id == naive.ORDER
        hit = Hit(
            log_id="",
            at=at,
            message=message,
            url_id=shot.url_id,
            url_type=URLS[shot.url_id],
            agent=list(AGENTS)[shot.agent],
            source_id=source_id,
            flags=shot.flags,
            address=shot.address,
            amount=Decimal("19.99") if is_order else None,
            article=2 if is_order else None,
        )
        hits.append((written_by, hit))
    return hits


def shot(message: Message, after_s: float, url_id: int) -> Hit:
    """Make a plain hit by a person's browser, without a log id."""
    at, agent = START + timedelta(seconds=after_s), next(iter(AGENTS))
    return Hit("", at, message, url_id, URLS[url_id], agent)


class Life(RuleBasedStateMachine):
    """An instance, what its tracking servers have written, and what must hold in the end."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        super().__init__()
        self.directory = Path(mkdtemp(prefix="life-"))
        self.world = make_world(self.directory)
        self.written: dict[str, list[tuple[int | None, bytes, Hit | None]]] = {
            server: [] for server in SERVERS
        }
        self.messages = list(KNOWN)
        self.are_outcomes_old = False
        with self.world.database.write() as connection:
            connection.execute(
                insert(schema.tracked_url).values(
                    id=HONEYPOT_URL,
                    type=UrlType.HONEYPOT,
                    mode="enabled",
                    part="h",
                    label="",
                    source="",
                )
            )
            for message in KNOWN:
                if message.id > 10:
                    connection.execute(insert(schema.message).values(_row(message)))

    @initialize(story=st.lists(scenes(), min_size=3, max_size=6))
    def begin(self, story: Sequence[Sequence[tuple[str, Hit]]]) -> None:
        """Let something happen first, so that no life is empty."""
        for scene in story:
            self.write(scene)

    @rule(
        scene=scenes(),
        damaged=st.none() | st.tuples(st.sampled_from(SERVERS), st.sampled_from(DAMAGED)),
        is_learning=st.booleans(),
    )
    def happen(
        self, scene: Sequence[tuple[str, Hit]], damaged: tuple[str, bytes] | None, is_learning: bool
    ) -> None:
        """Let servers write a scene, behind a damaged line; let a message become known."""
        if damaged is not None:
            server, raw = damaged
            # A server tells the number that a stretch ends with, so a good line stands last.
            if (len(self.written[server]) + 1) % SEGMENT_LINES:
                self.written[server].append((None, raw, None))
        self.write(scene)
        if is_learning:
            self.learn()

    def write(self, scene: Sequence[tuple[str, Hit]]) -> None:
        """Let the servers write the hits of a scene."""
        for server, hit in scene:
            number = 1 + sum(each is not None for each, _, _ in self.written[server])
            named = replace(hit, log_id=log_id(ServerId(server), number))
            self.written[server].append((number, _line(named, server, number), named))

    def learn(self) -> None:
        """Let a message become known that may have had hits before."""
        new = [message for message in LATER if message not in self.messages][:1]
        with self.world.database.write() as connection:
            for message in new:
                connection.execute(insert(schema.message).values(_row(message)))
        self.messages += new
        self.are_outcomes_old |= bool(new)

    def run(
        self,
        *,
        passing: Callable[[str], None] = lambda _point: None,
        lines_max: int = 4,
        down: str = "",
        upto: int | None = None,
        is_scheduled: bool = False,
    ) -> Counts:
        """Run the workflow; servers in `down` do not answer, others give lines `upto` a place."""
        sources = [
            FakeSource(
                ServerId(server),
                [(number, raw) for number, raw, _ in lines[:upto]],
                lines_max,
                is_down=server in down,
            )
            for server, lines in self.written.items()
        ]
        context = replace(self.world.context(sources, passing), is_scheduled=is_scheduled)
        counts = Counts()
        try:
            for step in STEPS:
                report = step.do(context)
                assert report.counts.is_balanced, report
                assert report.failure is None, report
                counts += report.counts
        finally:
            self.world.clock.advance(1800)
        return counts

    def recompute(self) -> None:
        """Compute all figures anew."""
        recompute(self.world.context([]))
        self.are_outcomes_old = False

    def settle(self) -> None:
        """Run by hand until everything that was written is read; then all must be right."""
        self.run()
        self.check()

    def check(self) -> None:
        """Hold what lasts against what was written."""
        known = {message.id for message in self.messages}
        there = [hit for lines in self.written.values() for _, _, hit in lines if hit is not None]
        hits = [hit for hit in there if hit.message.id in known]
        assert sorted(hit.log_id for hit in hits) == [row["log_id"] for row in self.world.hits()]
        waiting = len(there) - len(hits)
        reasons = [reason for _, _, _, reason, _ in self.world.rejected()]
        assert reasons.count("unresolved") == waiting
        assert len(reasons) == waiting + sum(map(_damaged_read, self.written.values()))
        expected = figures(hits, self.messages, agent_id)
        found = self.figures()
        for name in _FIGURES:
            assert found[name] == self._comparable(expected[name], name), name

    def figures(self) -> dict[str, Any]:
        """Give all tables of figures, by name and key."""
        return {name: self._rows(name) for name in _FIGURES}

    def teardown(self) -> None:
        """Settle, whatever has happened, and leave nothing behind."""
        try:
            self.settle()
        finally:
            self.world.database.engine.dispose()
            shutil.rmtree(self.directory)

    def _rows(self, name: str) -> dict[Any, dict[str, Any]]:
        table = _FIGURES[name]
        with self.world.database.read() as connection:
            rows = [row._asdict() for row in connection.execute(select(table))]
        names = [column.name for column in table.primary_key]
        found = {}
        for row in rows:
            key = tuple(row.pop(each) for each in names)
            found[key if len(key) > 1 else key[0]] = row
        return self._comparable(found, name)

    def _comparable(
        self, rows: Mapping[Any, Mapping[str, Any]], name: str
    ) -> dict[Any, dict[str, Any]]:
        """Keep the figures of which the reference speaks, and no rows of zeros."""
        left_out = {"computed_at", "lake_version", "pending_since", "pending_from", "is_frozen"}
        if name == "delivery_log_stats":
            left_out |= set(_REASONS)
            if self.are_outcomes_old:
                left_out |= {"prepared", "success", "error"}
        kept = {
            key: {each: value for each, value in row.items() if each not in left_out}
            for key, row in rows.items()
        }
        if name != "delivery_log_stats":
            return kept
        return {key: row for key, row in kept.items() if any(row.values())}


_REASONS: Final = (
    "user_unknown",
    "invalid_domain",
    "unreachable",
    "account_disabled",
    "mailbox_full",
    "not_connected",
    "refused",
    "complaints",
)


def _damaged_read(lines: Sequence[tuple[int | None, bytes, Hit | None]]) -> int:
    """Count damaged lines that have a good one behind them: no others were given yet."""
    places = [place for place, (number, _, _) in enumerate(lines) if number is not None]
    end = places[-1] if places else 0
    return sum(number is None for number, _, _ in lines[:end])


def _row(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "delivery_id": message.delivery_id,
        "recipient_id": message.recipient_id,
        "address": f"person{message.id}@{message.domain}",
        "domain": message.domain,
        "is_seed": message.is_seed,
        "status": MessageStatus.SENT,
        "event_at": NOW,
    }


def _line(hit: Hit, server: str, number: int) -> bytes:
    told = {"amount": hit.amount, "article": hit.article}
    return logline.encode(
        LogLine(
            server=ServerId(server),
            number=number,
            at=hit.at,
            message_id=MessageId(hit.message.id),
            delivery_id=DeliveryId(hit.message.delivery_id),
            url_id=UrlId(hit.url_id),
            flags=hit.flags,
            source_id=hit.source_id,
            part="h",
            parameters="&".join(f"{name}={value}" for name, value in told.items() if value),
            user_agent=hit.agent,
            address=hit.address,
        )
    )
