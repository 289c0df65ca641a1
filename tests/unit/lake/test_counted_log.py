"""People and machines: cases of the field lessons, and all rules against the plain reference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.lake import duckdb
from aftersend.lake.counted_log import counted_log
from aftersend.lake.machines import Rules, described
from aftersend.model.enumeration import UrlType
from tests.support.effort import examples
from tests.support.verdicts import START, Hit, after, classify, table

BROWSER, CRAWLER, GMAIL, APPLE, PROXY = 1, 2, 3, 4, 5
RULES = Rules(
    agents={"crawler": {CRAWLER}, "gmail-prefetch": {GMAIL}, "apple-privacy": {APPLE}}
    | {"proxy": {PROXY}}
)
OPEN, TRAP = UrlType.OPEN, UrlType.HONEYPOT
AZURE, DEFENDER = "20.49.104.1", "40.93.31.7"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.Connection]:
    """Give an engine that all examples share."""
    connection = duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def told(
    connection: duckdb.Connection, hits: Sequence[Hit], rules: Rules = RULES
) -> Mapping[str, str]:
    """Give the rule of each hit by its log id."""
    rows = connection.create_table("hits", table(hits), temp=True, overwrite=True)
    found = counted_log(rows, rules).to_pyarrow().to_pylist()
    assert all(row["counted"] == (row["rule"] == "") for row in found)
    assert all(
        row["verdict"] == (described()[row["rule"]].verdict if row["rule"] else "human")
        for row in found
    )
    return {row["log_id"]: row["rule"] for row in found}


def opened(at: float, agent: int = BROWSER, log_id: str = "open") -> Hit:
    """Make an open so many seconds after the start."""
    return Hit(log_id, after(at), type=OPEN, url_id=9, agent_id=agent)


def test_e1_an_open_through_googles_image_proxy_is_a_persons(connection: duckdb.Connection) -> None:
    """Gmail has no other sign of an open; a burst that follows is another's."""
    burst = [Hit(str(link), after(30), url_id=link) for link in (1, 2)]

    assert {"open": ""} == told(connection, [opened(0, PROXY)])
    assert "" == told(connection, [opened(0, PROXY), *burst])["open"]


def test_e2_e3_images_fetched_in_advance_are_a_machines(connection: duckdb.Connection) -> None:
    """Gmail's prefetch and Apple's privacy protection open nothing; a later person does."""
    hits = [opened(0, GMAIL, "gmail"), opened(1, APPLE, "apple"), opened(2)]

    assert {"gmail": "gmail-prefetch", "apple": "apple-privacy", "open": ""} == told(
        connection, hits
    )


def test_e3_apple_mail_only_hides_opens(connection: duckdb.Connection) -> None:
    """A click under such a user agent is a click.

    Killed by: rules of opens applied to all hits.
    """
    hits = [Hit("gmail", after(0), agent_id=GMAIL), Hit("apple", after(9), agent_id=APPLE)]

    assert {"gmail": "", "apple": ""} == told(connection, hits)


def test_e4_without_a_user_agent_it_is_a_machine(connection: duckdb.Connection) -> None:
    """Opens and clicks alike."""
    hits = [Hit("click", after(0), agent_id=0), opened(1, 0)]

    assert {"click": "no-agent", "open": "no-agent"} == told(connection, hits)


def test_e5_nine_links_within_a_second_are_a_machines_with_the_open_before(
    connection: duckdb.Connection,
) -> None:
    """Under the user agent of a desktop browser, 43 seconds after the message was sent."""
    burst = [
        Hit(f"click {link}", after(43 + link / 10), url_id=link, address=AZURE)
        for link in range(1, 10)
    ]

    found = told(connection, [opened(10), *burst])

    assert {"open": "burst-open", **{hit.log_id: "burst" for hit in burst}} == found


def test_e6_two_links_four_seconds_apart_are_a_persons(connection: duckdb.Connection) -> None:
    """Two seconds gave false positives elsewhere."""
    hits = [Hit("first", after(0)), Hit("second", after(4), url_id=2)]

    assert {"first": "", "second": ""} == told(connection, hits)


def test_e7_a_scanners_one_click_is_suspect_and_the_persons_counts(
    connection: duckdb.Connection,
) -> None:
    """A mail with one link: the first click comes from where mail security stands."""
    hits = [Hit("scanner", after(12), address=DEFENDER), Hit("person", after(900))]

    assert {"scanner": "scanner-network", "person": ""} == told(connection, hits)


def test_e8_a_real_click_after_a_burst_counts(connection: duckdb.Connection) -> None:
    """An hour later, on one of the same links."""
    hits = [Hit("1", after(0)), Hit("2", after(0.5), url_id=2), Hit("later", after(3600))]

    assert {"1": "burst", "2": "burst", "later": ""} == told(connection, hits)


def test_e9_a_person_behind_azure_is_a_person(connection: duckdb.Connection) -> None:
    """People browse from that cloud; its networks are in no list."""
    assert {"click": ""} == told(connection, [Hit("click", after(0), address=AZURE)])


def test_e11_previews_are_machines(connection: duckdb.Connection) -> None:
    """Whatever they fetch; which user agents they have is told in test_machines."""
    hits = [Hit("click", after(0), agent_id=CRAWLER), opened(1, CRAWLER)]

    assert {"click": "crawler", "open": "crawler"} == told(connection, hits)


def test_e12_whatever_is_near_the_hidden_link_is_a_machines(connection: duckdb.Connection) -> None:
    """Ten seconds before and after, bounds included; no visit, and no other message."""
    trap = Hit("trap", after(10), type=TRAP, url_id=90)
    near = [opened(0, PROXY), Hit("after", after(20)), Hit("none", after(15), agent_id=0)]
    far = [Hit("later", after(20.000001), url_id=2), Hit("other", after(10), message_id=2)]
    visit = Hit("visit", after(10), type=UrlType.WEB, url_id=30)

    found = told(connection, [trap, *near, *far, visit])

    machines = dict.fromkeys(("trap", "open", "after", "none"), "honeypot")
    assert machines | {"later": "", "other": "", "visit": ""} == found


def test_a_click_after_a_garbled_token_is_suspect(connection: duckdb.Connection) -> None:
    """By the mark of the tracking server, or after an unverified hit of the message."""
    hits = [
        Hit("marked", after(0), flags="p"),
        Hit("garbled", after(100), flags="u"),
        Hit("next", after(110)),
        Hit("later", after(110.000001)),
        Hit("other", after(101), message_id=2),
        replace(opened(101), flags="p"),
    ]

    found = told(connection, hits)

    assert {"marked": "probe", "garbled": "unverified", "next": "probe"}.items() <= found.items()
    assert ("", "", "") == (found["later"], found["other"], found["open"])


@pytest.mark.parametrize(
    ("address", "is_scanner"),
    [
        ("40.92.0.0", True),
        ("40.93.255.255", True),
        ("40.91.255.255", False),
        ("40.94.0.0", False),
        ("67.231.152.0", True),
        ("18.208.22.127", True),
        ("18.208.22.63", False),
        ("40.92.1.1,203.0.113.9", True),
        ("203.0.113.9,40.92.1.1", False),
        ("::ffff:40.92.1.1", True),
        ("2a01:111:f403:c10c::1", True),
        ("2a01:111:f403::", True),
        ("2a01:111:f404::1", False),
        ("", False),
        (None, False),
    ],
)
def test_networks_are_read_to_the_bit(
    connection: duckdb.Connection, address: str | None, is_scanner: bool
) -> None:
    """Old and new addresses, cut ones, chains of proxies, and none; opens never.

    Mutants killed: a network without its first or last address; the chain behind the comma.
    """
    hits = [Hit("click", after(0), address=address), replace(opened(1), address=address)]

    found = told(connection, hits)

    assert {"click": "scanner-network" if is_scanner else "", "open": ""} == found


def test_an_allowed_network_is_never_suspect(connection: duckdb.Connection) -> None:
    """Its clicks count again; those of its neighbours stay suspect."""
    hits = [Hit("in", after(0), address="40.92.1.1"), Hit("out", after(9), address="40.92.2.1")]
    rules = replace(RULES, allow_networks=("40.92.1.0/24",))

    assert {"in": "", "out": "scanner-network"} == told(connection, hits, rules)


_gaps = st.sampled_from(
    [0, 0, 1, 400_000, 999_999, 1_000_000, 1_000_001, 9_000_000, 10_000_000, 58_999_999]
)


@st.composite
def hit_lists(draw: st.DrawFn) -> list[Hit]:
    """Make hits close to each other, in the order of time."""
    at, hits = START, []
    for number in range(draw(st.integers(0, 25))):
        at += timedelta(microseconds=draw(_gaps))
        kind = draw(st.sampled_from([OPEN, *[UrlType.EMAIL_CLICK] * 3, *UrlType]))
        message = draw(st.sampled_from([1, 1, 2, 3]))
        url = draw(st.integers(1, 3)) if kind is UrlType.EMAIL_CLICK else kind.value * 10
        hit = Hit(f"10x{number:016X}", at, message, url, kind, is_seed=message == 3)
        hits.append(
            replace(
                hit,
                flags=draw(st.sampled_from(["0"] * 8 + ["h", "u", "uh", "p", "x"])),
                agent_id=draw(st.sampled_from([BROWSER] * 6 + [0, CRAWLER, GMAIL, APPLE, PROXY])),
                address=draw(st.sampled_from(["192.0.2.1"] * 4 + [DEFENDER, None])),
            )
        )
    return hits


_rules = st.builds(
    Rules,
    burst_s=st.sampled_from([0, 0.4, 1, 9]),
    burst_open_s=st.sampled_from([0, 10, 60]),
    honeypot_s=st.sampled_from([0, 1, 10]),
    probe_s=st.sampled_from([0, 10]),
    open_repeat_s=st.sampled_from([0, 10, 60]),
    off=st.frozensets(st.sampled_from(list(described())), max_size=3),
    agents=st.just(RULES.agents),
)


def test_a_burst_is_one_at_whatever_second_it_begins(connection: duckdb.Connection) -> None:
    """Messages that may hold a burst are found by slots of seconds in a ring.

    Mutants killed: slots side by side left out; the last slot and the first; one slot for two.
    """
    steps = [(0.2, (0.5, 1.0, 1.2)[message % 3]) for message in range(200)]
    hits = [
        Hit(f"{message} {at}", after(message + at), url_id=link, message_id=message)
        for message, both in enumerate(steps)
        for link, at in enumerate(both)
    ]

    found = told(connection, hits)

    assert {"burst"} == set(found.values())


def test_an_open_repeats_another_at_whatever_minute_it_comes(
    connection: duckdb.Connection,
) -> None:
    """Messages that may hold a repeat are found in the same way, by slots as long as the period.

    Mutants killed: slots side by side left out; the last slot and the first; one slot for two;
    slots as long as those of bursts.
    """
    hits = [
        Hit(f"{message} {at}", after(message * 20 + at), message, 9, OPEN)
        for message in range(200)
        for at in (0, 59.9 - message % 3 * 25)
    ]

    found = told(connection, hits)

    assert {hit.log_id for hit in hits[1::2]} == {
        log_id for log_id, rule in found.items() if rule == "open-repeat"
    }


def test_a_clock_that_stands_before_1970_stops_nothing(connection: duckdb.Connection) -> None:
    """A machine without a battery says so."""
    long_ago = 60 * 366 * 86_400
    hits = [
        Hit(f"{message} {link}", after(message + link / 2 - long_ago), message, url_id=link)
        for message in range(1, 99)
        for link in (1, 2)
    ]

    assert {"burst"} == set(told(connection, hits).values())


@settings(max_examples=examples(20), deadline=None)
@given(hits=hit_lists(), rules=st.just(RULES) | _rules, order=st.randoms(use_true_random=False))
@example(hits=[], rules=RULES, order=None)
def test_every_verdict_is_that_of_the_plain_rules(
    connection: duckdb.Connection, hits: list[Hit], rules: Rules, order: object
) -> None:
    """Whatever the windows and the rules that are off, and in whatever order the hits came.

    Mutants killed: bounds of each window left out; a burst on one link; unverified clicks in
    bursts; opens through a proxy before a burst; repeats of opens that machines made.
    """
    came = list(hits)
    if order is not None:
        order.shuffle(came)  # type: ignore[attr-defined]

    assert classify(hits, rules) == told(connection, came, rules)


@settings(max_examples=examples(15), deadline=None)
@given(hits=hit_lists(), rules=st.just(RULES) | _rules, data=st.data())
def test_a_new_hit_changes_nothing_further_back_than_it_reaches(
    connection: duckdb.Connection, hits: list[Hit], rules: Rules, data: st.DataObject
) -> None:
    """Consolidation leaves alone what lies before.

    Killed by: a reach without the window of bursts, or without that of the hidden link.
    """
    late = data.draw(st.integers(0, len(hits))) if hits else 0
    new = data.draw(hit_lists().filter(bool))
    last = hits[late - 1].at if late else START
    new = [replace(hit, log_id=f"2{hit.log_id[1:]}", at=hit.at - START + last) for hit in new]

    before = told(connection, hits, rules)
    now = told(connection, [*hits, *new], rules)

    kept = min(hit.at for hit in new) - timedelta(seconds=rules.reach_s)
    old = [hit.log_id for hit in hits if hit.at < kept]
    assert [before[log_id] for log_id in old] == [now[log_id] for log_id in old]


def test_a_hidden_link_reaches_back_through_a_burst_to_its_open(
    connection: duckdb.Connection,
) -> None:
    """The longest way back there is, to the microsecond: so far does the reach have to go."""
    hits = [opened(0), Hit("1", after(60)), Hit("2", after(61), url_id=2)]
    trap = Hit("trap", after(71), type=TRAP, url_id=90)

    before, now = told(connection, hits), told(connection, [*hits, trap])

    assert ("burst-open", "") == (before["open"], now["open"])
    assert timedelta(seconds=RULES.reach_s) == trap.at - hits[0].at


@pytest.mark.parametrize("rule", list(described()))
def test_a_rule_that_is_off_takes_nothing_out(connection: duckdb.Connection, rule: str) -> None:
    """Each by itself: the others go on, and nothing has its name."""
    hits = [
        Hit("head", after(0), flags="h", message_id=10),
        Hit("unverified", after(0), flags="u", message_id=11),
        Hit("seed", after(0), is_seed=True, message_id=12),
        Hit("honeypot", after(0), type=TRAP, url_id=90, message_id=13),
        Hit("no-agent", after(0), agent_id=0, message_id=14),
        Hit("crawler", after(0), agent_id=CRAWLER, message_id=15),
        replace(opened(0, GMAIL, "gmail-prefetch"), message_id=16),
        replace(opened(0, APPLE, "apple-privacy"), message_id=17),
        replace(opened(0, log_id="burst-open"), message_id=18),
        Hit("burst", after(1), message_id=18),
        Hit("burst 2", after(1), message_id=18, url_id=2),
        Hit("probe", after(0), flags="p", message_id=19),
        Hit("scanner-network", after(0), address=DEFENDER, message_id=20),
        replace(opened(0, log_id="open"), message_id=21),
        replace(opened(1, log_id="open-repeat"), message_id=21),
    ]
    rules = replace(RULES, off=frozenset({rule}))

    assert told(connection, hits)[rule] == rule
    assert rule not in told(connection, hits, rules).values()
    assert classify(hits, rules) == told(connection, hits, rules)
