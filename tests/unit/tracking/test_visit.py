"""Web visits: which are kept in which mode, and what a row of the lake holds of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from aftersend.database import schema, tags, web_visits
from aftersend.model.enumeration import DeliveryKind, DeliveryState, UrlType
from aftersend.model.ids import ServerId
from aftersend.model.run import Counts
from aftersend.model.tag import TagSpec
from aftersend.tracking.attribute import attribute
from aftersend.tracking.load import load
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import NOW, Visit, World, keep_lines, make_visited_world, make_world

AT = naive.START + timedelta(hours=1)
CLICK = NaiveHit("", naive.START, 1, 2, "known")
HOME = "tagid=home%7Cw"
MODES = ("session", "permanent-forced", "permanent-last", "anonymous-forced", "anonymous-last")
VISITS = {
    "session cookie": Visit(AT, HOME, "known", 1, 2),
    "uuid known": Visit(AT, HOME, "known"),
    "uuid unknown": Visit(AT, HOME, "stranger"),
    "rcpid": Visit(AT, f"{HOME}&rcpid=email%3DPerson5%40example1.com", "guest", 0, 3),
    "rcpid alone": Visit(AT, f"{HOME}&rcpid=account%3DA%204"),
    "jobid, uuid known": Visit(AT, HOME, "known", 0, 3),
    "jobid, uuid unknown": Visit(AT, HOME, "stranger", 0, 3),
    "nothing": Visit(AT, HOME),
}
VIRTUAL = 4
_KEPT_ANYHOW: dict[str, Any] = {
    "session cookie": (2, 1, 101, "0"),
    "rcpid": (3, 5, 105, "0"),
}
_OF_A_BROWSER: dict[str, Any] = {
    **_KEPT_ANYHOW,
    "uuid known": (2, 1, 101, "a"),
    "rcpid alone": (VIRTUAL, 0, 104, "0"),
}
_OF_ANYBODY: dict[str, Any] = {
    **_OF_A_BROWSER,
    "uuid unknown": (VIRTUAL, 0, 0, "0"),
    "jobid, uuid unknown": (3, 0, 0, "d"),
    "nothing": "incomplete_visit",
}
_OF_STRANGERS = dict.fromkeys(("uuid unknown", "jobid, uuid unknown", "nothing"), "unknown_visitor")
EXPECTED: dict[str, dict[str, Any]] = {
    "session": dict.fromkeys(VISITS, "incomplete_visit") | _KEPT_ANYHOW,
    "permanent-forced": _OF_A_BROWSER | _OF_STRANGERS | {"jobid, uuid known": (3, 1, 101, "da")},
    "permanent-last": _OF_A_BROWSER | _OF_STRANGERS | {"jobid, uuid known": (2, 1, 101, "da")},
    "anonymous-forced": _OF_ANYBODY | {"jobid, uuid known": (3, 1, 101, "da")},
    "anonymous-last": _OF_ANYBODY | {"jobid, uuid known": (2, 1, 101, "da")},
}
"""Of each mode and visit: delivery, message, recipient and flags of its row, or why it is none."""


def load_visits(world: World, *visits: Visit | NaiveHit, first: int = 1) -> Counts:
    """Load some lines of server 1, and check the equation."""
    keep_lines(world, "1", visits, first)
    report = load(world.context([]))
    assert report.counts.is_balanced
    assert first + len(visits) - 1 == world.lake.pointer(ServerId("1"))
    return report.counts


def visits_of(world: World) -> list[dict[str, Any]]:
    """List the rows of web visits."""
    return [row for row in world.hits() if row["url_type"] in (4, 5)]


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_keeps_what_it_promises(tmp_path: Path, mode: str) -> None:
    """Which visits have a row, and whose they are, after loading and attribution.

    Mutants killed: permanent taken for anonymous; forced for last; the cookie's message over the
    recipient that the page names.
    """
    world = make_visited_world(tmp_path, mode)

    counts = load_visits(world, CLICK, *VISITS.values())
    attribute(world.context([]))

    expected = EXPECTED[mode]
    found: dict[str, Any] = {
        name: reason
        for name, (_, _, _, reason, _) in zip(
            (name for name in VISITS if isinstance(expected[name], str)),
            sorted(world.rejected(), key=lambda row: row[2]),
            strict=True,
        )
    }
    for row in visits_of(world):
        name = list(VISITS)[int(row["log_id"][3:], 16) - 2]
        ids = ("delivery_id", "message_id", "recipient_id", "flags")
        found[name] = tuple(row[column] for column in ids)
    assert expected == found
    assert 1 + len(VISITS) == counts.read


def test_a_row_tells_all_of_a_visit(tmp_path: Path) -> None:
    """The tag's id and type, amount and items as numbers, the parameters as they were written."""
    world = make_visited_world(tmp_path, "anonymous-last")
    parameters = "tagid=order%7Ct%7CShop%20A&amount=%31%30.5&article=2&size=%C3%BC"

    load_visits(world, Visit(AT, parameters, "browser", 1, 2, flags="h"))

    [row] = world.hits()
    with world.database.read() as connection:
        tag = tags.get(connection, "order")
    assert (UrlType.TRANSACTION, "Shop A") == (tag.type, tag.folder)
    assert {
        "log_id": "10x0000000000000001",
        "at": AT,
        "day": AT.date(),
        "delivery_id": 2,
        "message_id": 1,
        "recipient_id": 101,
        "url_id": tag.id,
        "url_type": 5,
        "part": "",
        "source_id": "browser",
        "flags": "h",
        "domain": "example1.com",
        "is_seed": False,
        "address": "127.0.0.1",
        "amount": 10.5,
        "article": 2,
        "parameters": parameters,
    } == {name: value for name, value in row.items() if name != "agent_id"}


@pytest.mark.parametrize(
    ("text", "amount", "article"),
    [
        ("&amount=10%2C5&article=1.5", None, None),
        ("&amount=1e9&article=-1", None, -1),
        ("&amount=-3&xarticle=7", -3.0, None),
        ("&amount=1%0A&article=", None, None),
        ("&own=amount%3D5", None, None),
        ("&amount=%2531", None, None),
    ],
)
def test_what_is_no_number_is_no_amount(
    tmp_path: Path, text: str, amount: float | None, article: int | None
) -> None:
    """The visit is kept without it; what was encoded twice is decoded once.

    Mutant killed: parameters decoded until nothing changes.
    """
    world = make_visited_world(tmp_path, "anonymous-last")

    load_visits(world, Visit(AT, HOME + text, "browser"))

    [row] = world.hits()
    assert (amount, article) == (row["amount"], row["article"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tagid=nowhere", "unknown_tag"),
        ("tagid=home%7Cx", "unknown_tag"),
        ("tagid=", "unknown_tag"),
        ("tagid=over", "expired_tag"),
        ("nothing=home", "unknown_url"),
    ],
)
def test_a_visit_of_no_tag_is_rejected(tmp_path: Path, text: str, reason: str) -> None:
    """A tag that there is not, that cannot be made, or that counted no more when it was seen."""
    world = make_visited_world(tmp_path, "anonymous-last")
    with world.database.write() as connection:
        tags.ensure(connection, [TagSpec("over", UrlType.WEB)])
        tags.change(connection, "over", valid_until=AT)
    before = Visit(AT - timedelta(microseconds=1), "tagid=over", "browser")

    counts = load_visits(world, before, Visit(AT, text, "browser", 1, 2))

    assert Counts(read=2, loaded=1, rejected={reason: 1}) == counts


def test_the_message_of_a_cookie_must_be_of_its_delivery(tmp_path: Path) -> None:
    """As with clicks; a delivery alone that we do not know is none."""
    world = make_visited_world(tmp_path, "anonymous-last")

    counts = load_visits(
        world,
        Visit(AT, HOME, "browser", 1, 3),
        Visit(AT, HOME, "browser", 77, 2),
        Visit(AT, HOME, "browser", 0, 77),
    )

    assert Counts(read=3, loaded=1, rejected={"unresolved": 2}) == counts
    assert [(VIRTUAL, "0")] == [(row["delivery_id"], row["flags"]) for row in world.hits()]


@pytest.mark.parametrize(
    ("rcpid", "message", "recipient"),
    [
        ("email=person7@example1.com", 7, 107),  # of the delivery of the cookie
        ("email=person5@example1.com", 0, 105),  # known, without a message of that delivery
        ("account=A 3", 1, 101),  # nobody has it
        ("account=A 2", 1, 101),  # two recipients have it
        ("account=", 1, 101),
        ("email=nobody@example.com", 1, 101),
        ("first_name=", 1, 101),
        ("address=person7@example1.com", 1, 101),  # no field to name recipients by
        ("email", 1, 101),
    ],
)
def test_a_recipient_named_by_the_page_wins(
    tmp_path: Path, rcpid: str, message: int, recipient: int
) -> None:
    """Exactly one, by a field that may be used, else the cookie's message stands.

    Mutant killed: the first of several recipients taken.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    text = rcpid.replace("=", "%3D").replace("@", "%40").replace(" ", "%20")

    load_visits(world, Visit(AT, f"{HOME}&rcpid={text}", "browser", 1, 2))

    [row] = world.hits()
    assert (message, recipient) == (row["message_id"], row["recipient_id"])
    assert (2, False) == (row["delivery_id"], row["is_seed"])


def test_among_ordinary_hits_visits_keep_their_place(tmp_path: Path) -> None:
    """Rows and rejections of both kinds, each with its own line; a repeated number is one."""
    world = make_visited_world(tmp_path, "anonymous-last")
    story: list[NaiveHit | Visit] = [
        Visit(AT, HOME, "a"),
        CLICK,
        Visit(AT, "tagid=nowhere", "b"),
        NaiveHit("", AT, 2, naive.URL_OF_DELIVERY_1),
        NaiveHit("", AT, 5, 1),
        Visit(AT, f"{HOME}&amount=1", "c"),
    ]

    load_visits(world, *story)

    rows = [(row["log_id"][-1], row["url_type"], row["source_id"]) for row in world.hits()]
    assert [("1", 4, "a"), ("2", 1, "known"), ("5", 2, ""), ("6", 4, "c")] == rows
    reasons = [row[3] for row in sorted(world.rejected(), key=lambda row: row[2])]
    assert ["unknown_tag", "unknown_url"] == reasons


def test_permanent_mode_knows_browsers_of_this_batch_and_of_the_lake(tmp_path: Path) -> None:
    """A hit with a message, before the visit or at that moment; forged ones tell nobody.

    Mutants killed: the lake not asked; the batch not asked; HEAD and forged hits believed; hits
    after the visit believed.
    """
    world = make_visited_world(tmp_path, "permanent-last")
    soon = AT + timedelta(seconds=1)
    load_visits(world, CLICK, NaiveHit("", AT, 1, 2, "forged", "u"))

    counts = load_visits(
        world,
        NaiveHit("", AT, 2, 2, "here"),
        NaiveHit("", AT, 2, 2, "head", "h"),
        NaiveHit("", soon, 2, 2, "later"),
        *(Visit(AT, HOME, source) for source in ("known", "forged", "here", "head", "later")),
        first=3,
    )

    assert Counts(read=8, loaded=5, rejected={"unknown_visitor": 3}) == counts
    assert {"known", "here"} == {row["source_id"] for row in visits_of(world)}


def test_permanent_mode_knows_browsers_of_servers_that_are_loaded_later(tmp_path: Path) -> None:
    """A click and the visit after it came to two servers: one run is enough to know.

    Mutants killed: only what is loaded asked; forged lines believed; the inbox asked of the first
    server alone.
    """
    world = make_visited_world(tmp_path, "permanent-last")
    visits = [Visit(AT, HOME, source) for source in ("a", "b", "c", "d")]
    keep_lines(world, "1", visits)
    keep_lines(
        world,
        "2",
        [
            NaiveHit("", AT, 1, 2, "a"),
            NaiveHit("", AT, 1, 2, "b", "u"),
            NaiveHit("", AT + timedelta(seconds=1), 1, 2, "c"),
            NaiveHit("", AT + timedelta(seconds=1), 1, 2, "d"),
            NaiveHit("", naive.START, 1, 2, "d"),
        ],
    )

    counts = load(world.context([])).counts
    attribute(world.context([]))

    assert Counts(read=9, loaded=7, rejected={"unknown_visitor": 2}) == counts
    assert [("a", 1), ("d", 1)] == [
        (row["source_id"], row["message_id"]) for row in visits_of(world)
    ]


@pytest.mark.parametrize(
    ("text", "is_warning"), [(HOME, False), ("tagid=nowhere", True), ("damaged", True)]
)
def test_strangers_are_nothing_to_warn_of(tmp_path: Path, text: str, is_warning: bool) -> None:
    """A line that should not be there is."""
    world = make_visited_world(tmp_path, "permanent-last")
    keep_lines(world, "1", [Visit(AT, text, "stranger")])

    report = load(world.context([]))

    assert (1, is_warning) == (sum(report.counts.rejected.values()), report.is_warning)


def test_the_delivery_of_web_visits_is_made_once(tmp_path: Path) -> None:
    """At first need, by whoever comes first; it is finished, and of a kind of its own.

    Mutant killed: an insert that asks before and not by the unique name.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_visits(world, CLICK, Visit(AT, HOME, "browser", 1, 2))
    with world.database.read() as connection:
        before = web_visits.find(connection, "webVisits")
    load_visits(world, Visit(AT, HOME, "browser"), first=3)
    load_visits(world, Visit(AT, HOME, "browser"), first=4)
    other = make_world(tmp_path)

    with other.database.write() as connection:
        again = web_visits.ensure(connection, "webVisits", at=datetime(2030, 1, 1, tzinfo=UTC))

    with world.database.read() as connection:
        query = select(schema.delivery).where(schema.delivery.c.internal_name == "webVisits")
        row = connection.execute(query).one()
    assert before is None
    assert again == row.id
    assert (DeliveryKind.WEB_VISITS, DeliveryState.FINISHED) == (row.kind, row.state)
    assert ("Web visits", NOW) == (row.label, row.created_at)


def test_the_delivery_of_web_visits_may_be_one_that_there_is(tmp_path: Path) -> None:
    """The setting names it; nothing is changed in it."""
    world = make_visited_world(tmp_path, "anonymous-last")
    with world.database.write() as connection:
        named = update(schema.delivery).where(schema.delivery.c.id == 3)
        connection.execute(named.values(internal_name="webVisits"))

    load_visits(world, Visit(AT, HOME, "browser"))

    assert [3] == [row["delivery_id"] for row in world.hits()]
