"""Web tags: what pages tell of visits, for whom a line is written, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aftersend.collector.cookie import Cookies
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import PIXEL
from aftersend.collector.tag import Tags
from aftersend.model import logline
from aftersend.model.enumeration import WebTrackingMode
from aftersend.model.ids import DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LINE_BYTES_MAX, LogLine
from aftersend.model.token import KeyRing
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from tests.support.tracking_server import NOW, SHOP, Tracker, configured, spelled, tracking

SOURCE = "e5155671-4ab7-4bd4-8b2c-0123456789ab"
SESSION = f"nlid={spelled(SHOP, message_id=300)}"
PERMANENT = WebTrackingMode.PERMANENT_FORCED
ANONYMOUS = WebTrackingMode.ANONYMOUS_LAST


def _told(line: LogLine) -> list[tuple[str, str]]:
    return parse_qsl(line.parameters, strict_parsing=True, keep_blank_values=True)


@pytest.mark.parametrize("path", ["/r/4567", "/r/", "/r", "/r/a", "/r/0.8341"])
def test_a_tag_is_answered_with_the_pixel_and_recorded(tracker: Tracker, path: str) -> None:
    """Who clicked in this session is known by the signed cookie; the path means nothing."""
    answer = tracker.get(f"{path}?tagid=home", cookie=f"{SESSION}; uuid230={SOURCE}")
    (line,) = tracker.lines

    assert (answer.status_code, answer.content) == (200, PIXEL)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert (line.message_id, line.delivery_id, line.url_id) == (300, 7, 0)
    assert (line.flags, line.source_id, line.part) == ("0", SOURCE, "")
    assert line.parameters == "tagid=home"
    assert (line.at, line.address) == (NOW, "127.0.0.1")


def test_head_is_answered_and_flagged(tracker: Tracker) -> None:
    """Machines ask so."""
    answer = tracker.client.head("/r/1?tagid=home", headers={"cookie": SESSION})

    assert answer.status_code == 200
    assert [line.flags for line in tracker.lines] == ["h"]


def test_all_parameters_are_told_in_one_order(tracker: Tracker) -> None:
    """Tag, person, transaction, then the page's own as they came; of two alike the first counts."""
    tracker.get(
        "/r/1?color=dark+red&article=2&amount=100.50&size=&tagid=order&rcpid=email%3Da+b@x.example"
        "&tagid=other&amount=7&color=blue"
    )
    (line,) = tracker.lines

    assert _told(line) == [
        ("tagid", "order"),
        ("rcpid", "email=a+b@x.example"),
        ("amount", "100.50"),
        ("article", "2"),
        ("color", "dark red"),
        ("size", ""),
    ]
    assert (line.message_id, line.source_id) == (0, "")


def test_a_tag_may_be_made_on_the_fly(tracker: Tracker) -> None:
    """What it is and where it belongs stand behind bars, escaped as browsers do."""
    tracker.get("/r/a?tagid=news%2Fspring%7Cw%7CMy%20shop", cookie=SESSION)

    assert tracker.lines[0].parameters == "tagid=news%2Fspring%7Cw%7CMy%20shop"


@pytest.mark.parametrize(
    "query",
    [
        "tagid=",
        "tagid=%20",
        "tagid=two%20words",
        "tagid=a%26b",
        "tagid=home%7Cx",
        "tagid=" + "a" * 129,
        "tagid=a%00",
        "xtagid=home",
        "a=tagid=home",
    ],
)
def test_what_names_no_tag_is_not_found(tracker: Tracker, query: str) -> None:
    """The answer has no link, and nothing is written."""
    answer = tracker.get(f"/r/1?{query}", cookie=SESSION)

    assert answer.status_code == 404
    assert "href" not in answer.text
    assert tracker.lines == []


def test_a_session_wins_over_the_delivery_that_the_tag_names(tracker: Tracker) -> None:
    """The delivery of the tag is for visits that no click of this session leads to."""
    tracker.get("/r/1?tagid=home&jobid=e6", cookie=SESSION)
    tracker.get("/r/1?tagid=home&jobid=e6&rcpid=email%3Dada@x.example")

    assert [(line.message_id, line.delivery_id) for line in tracker.lines] == [(300, 7), (0, 230)]
    assert all("jobid" not in line.parameters for line in tracker.lines)


@pytest.mark.parametrize(
    "parameters",
    [
        "jobid=xyz",
        "jobid=-1",
        "jobid=0x7",
        "jobid=8000000000000000",
        "jobid=00000000000000007",
        "jobid=",
        "jobid=%D9%A1",
        "rcpid=",
        "rcpid=ada",
        "rcpid=%3Dada",
        "rcpid=" + "e" * 129 + "%3Da",
        "amount=" + "1" * 33,
        "article=" + "1" * 33,
    ],
)
def test_what_cannot_be_meant_is_not_there(tmp_path: Path, parameters: str) -> None:
    """Half of a name would be somebody else's."""
    with tracking(tmp_path, web_tracking_mode=PERMANENT) as tracker:
        tracker.get(f"/r/1?tagid=home&{parameters}")
        tracker.get(f"/r/1?tagid=home&{parameters}", cookie=f"uuid230={SOURCE}")

        told = [(line.parameters, line.delivery_id) for line in tracker.lines]
        assert told == [("tagid=home", 0)]


def test_nobody_is_named_by_the_half_of_a_query(tracker: Tracker) -> None:
    """What stands at the place where a long query is cut is left out."""
    query = "tagid=home&jobid=e6&x="
    query = f"{query.ljust(8_192 - len('&rcpid=email%3Dada'), 'x')}&rcpid=email%3Dada"
    tracker.get(f"/r/1?{query}")
    tracker.get(f"/r/1?{query}.lovelace")

    assert [line.parameters[:29] for line in tracker.lines] == ["tagid=home&rcpid=email%3Dada&"]


@pytest.mark.parametrize("name", ["nlid", "id", "ID"])
def test_a_session_has_several_names(tracker: Tracker, name: str) -> None:
    """Pages that forward cookies know it by older ones."""
    tracker.get("/r/1?tagid=home", cookie=f"{name}={spelled(SHOP)}; uuid={SOURCE}")

    assert [(line.message_id, line.source_id) for line in tracker.lines] == [(300, SOURCE)]


def test_a_session_that_we_did_not_sign_is_nobody(tmp_path: Path) -> None:
    """Whoever writes message and delivery into a cookie is taken for a stranger."""
    forged = spelled(SHOP, keys=KeyRing({1: bytes(32)}))
    with tracking(tmp_path, web_tracking_mode=PERMANENT) as tracker:
        for session in (forged, "12c|7", "", "x", spelled(SHOP)[:-1], "a" * 300):
            cookie = f"nlid={session}; uuid230={SOURCE}"
            assert tracker.get("/r/1?tagid=home", cookie=cookie).status_code == 200

        assert {(line.message_id, line.delivery_id) for line in tracker.lines} == {(0, 0)}


@pytest.mark.parametrize(
    ("mode", "is_visitor_tracked", "cookie", "query", "is_recorded"),
    [
        (WebTrackingMode.SESSION, True, "", "", False),
        (WebTrackingMode.SESSION, True, f"uuid230={SOURCE}", "", False),
        (WebTrackingMode.SESSION, False, SESSION, "", True),
        (WebTrackingMode.SESSION, False, "", "&rcpid=email%3Da", True),
        (PERMANENT, True, "", "", False),
        (PERMANENT, False, f"uuid230={SOURCE}", "", True),
        (PERMANENT, False, "", "&rcpid=email%3Da", True),
        (ANONYMOUS, False, "", "", False),
        (ANONYMOUS, False, f"uuid230={SOURCE}", "", True),
        (ANONYMOUS, True, "", "", True),
        (ANONYMOUS, True, f"{SESSION}; uuid230={SOURCE}; acoptout=1", "&rcpid=email%3Da", False),
    ],
)
def test_the_mode_says_whose_visits_are_recorded(
    tmp_path: Path,
    mode: WebTrackingMode,
    is_visitor_tracked: bool,
    cookie: str,
    query: str,
    is_recorded: bool,
) -> None:
    """Each mode records what the narrower ones do; who refused is in none, whoever names him."""
    with tracking(
        tmp_path, web_tracking_mode=mode, is_visitor_tracked=is_visitor_tracked
    ) as tracker:
        answer = tracker.get(f"/r/1?tagid=home{query}", cookie=cookie)

        assert (answer.status_code, answer.content) == (200, PIXEL)
        assert len(tracker.lines) == is_recorded


def test_an_unknown_visitor_gets_a_permanent_cookie(tmp_path: Path) -> None:
    """So later visits of this browser are told to be his; a known one keeps what it has."""
    with tracking(
        tmp_path, web_tracking_mode=ANONYMOUS, is_visitor_tracked=True, p3p_policy="CAO PSA"
    ) as tracker:
        first = tracker.get("/r/1?tagid=home")
        made = first.headers["set-cookie"].partition(";")[0]
        second = tracker.get("/r/1?tagid=home", cookie=made)

        assert first.headers["p3p"] == 'CP="CAO PSA"'
        assert "set-cookie" not in second.headers
        assert [f"uuid230={line.source_id}" for line in tracker.lines] == [made, made]


@pytest.mark.parametrize(
    ("mode", "delivery_id"),
    [(PERMANENT, 0), (WebTrackingMode.PERMANENT_LAST, 9), (ANONYMOUS, 9)],
)
def test_the_last_delivery_counts_in_its_modes(
    tmp_path: Path, mode: WebTrackingMode, delivery_id: int
) -> None:
    """A purchase the next day is credited to yesterday's mail; the tag's own delivery wins."""
    cookie = f"nllastdelid=9; uuid230={SOURCE}"
    with tracking(tmp_path, web_tracking_mode=mode) as tracker:
        tracker.get("/r/1?tagid=home", cookie=cookie)
        tracker.get("/r/1?tagid=home&jobid=e6", cookie=cookie)

        assert [line.delivery_id for line in tracker.lines] == [delivery_id, 230]


def test_without_cookies_only_a_named_person_counts(tmp_path: Path) -> None:
    """Nothing is read of what browsers send, but for their refusal."""
    cookie = f"{SESSION}; uuid230={SOURCE}; nllastdelid=9"
    with tracking(
        tmp_path, is_cookieless=True, web_tracking_mode=ANONYMOUS, is_visitor_tracked=True
    ) as tracker:
        tracker.get("/r/1?tagid=home", cookie=cookie)
        answer = tracker.get("/r/1?tagid=home&rcpid=email%3Da", cookie=cookie)
        tracker.get("/r/1?tagid=home&rcpid=email%3Da", cookie="acoptout=1")
        (line,) = tracker.lines

        assert "set-cookie" not in answer.headers
        assert (line.message_id, line.delivery_id, line.source_id) == (0, 0, "")


def test_own_parameters_are_cut_to_a_length_in_all(tmp_path: Path) -> None:
    """Whole pairs, the last value cut; what we know by name is not counted."""
    with tracking(tmp_path, parameters_length_max=10) as tracker:
        for own in ("ab=cde&fg=hijkl&m=n", "abcdefghij=k", "abcdefghijk=l&m=n", "abc=defghij&k"):
            tracker.get(f"/r/1?tagid=order&amount=12345678901&{own}", cookie=SESSION)

        head = [("tagid", "order"), ("amount", "12345678901")]
        assert [_told(line) for line in tracker.lines] == [
            [*head, ("ab", "cde"), ("fg", "hij")],
            head,
            head,
            [*head, ("abc", "defghij")],
        ]


def test_addresses_are_left_out_when_they_are_not_stored(tmp_path: Path) -> None:
    """The budget knows them all the same: it counts what one address tells in a minute."""
    with tracking(tmp_path, is_address_stored=False) as tracker:
        tracker.get("/r/1?tagid=home", cookie=SESSION)

        assert [line.address for line in tracker.lines] == [""]


def test_a_tag_waits_for_the_disk_where_answers_do(tmp_path: Path) -> None:
    """With an interval of 0 the pixel says that the line is safe."""
    with tracking(tmp_path, fsync_interval_ms=0) as tracker:
        assert tracker.get("/r/1?tagid=home", cookie=SESSION).content == PIXEL
        assert tracker.get("/r/1?tagid=home").content == PIXEL
        assert len(tracker.lines) == 1


@dataclass
class _Request:
    """A request without a server below."""

    query_string: str
    headers: dict[str, str]
    method: str = "GET"


@dataclass
class _Answer:
    """Keeps what a server would send, and what a spool would hold."""

    statuses: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def after_sync(self, answer: Callable[[], None]) -> None:
        self.waiting.append(answer)

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        assert body == PIXEL
        self.statuses.append(status)

    def record(self, at: datetime, address: str, hit: Any) -> bool:
        ids = MessageId(hit[0]), DeliveryId(hit[1]), UrlId(hit[2])
        line = LogLine(ServerId("1"), 1, at, *ids, *hit[3:])
        self.lines.append(logline.encode(line))
        return True


_names = st.sampled_from(["tagid", "rcpid", "jobid", "amount", "article", "id", "", "ä"])
_pairs = st.tuples(_names | st.text(max_size=8), st.text(max_size=300))
_queries = (
    st.text(max_size=200)
    | st.text("tagid=&%0|w", max_size=60)
    | st.lists(_pairs, max_size=12).map(
        lambda pairs: "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    )
)


def test_visits_that_are_left_out_are_counted(tmp_path: Path) -> None:
    """Who refused and who is unknown are two reasons."""
    config, metrics = configured(tmp_path), Metrics()
    cookies, spool = Cookies(config, SeededEntropy(1)), _Answer()
    recorder: Any = spool
    tags = Tags(config, clock=ManualClock(NOW), cookies=cookies, recorder=recorder, metrics=metrics)
    for cookie in ("", "", SESSION, f"{SESSION}; acoptout=1"):
        tags.answer(_Request("tagid=home", {"cookie": cookie}), spool, address="")

    assert spool.waiting == []
    assert metrics.unrecorded == {"incomplete": 2, "opted_out": 1}
    assert metrics.requests == {("tag", "pixel"): 4}
    assert len(spool.lines) == 1


def test_an_answer_waits_for_its_line_and_for_nothing_else(tmp_path: Path) -> None:
    """A visit that is left out has no line to wait for."""
    config, spool = configured(tmp_path), _Answer()
    recorder: Any = spool
    tags = Tags(
        config,
        clock=ManualClock(NOW),
        cookies=Cookies(config, SeededEntropy(1)),
        recorder=recorder,
        metrics=Metrics(),
        flusher=recorder,
    )
    tags.answer(_Request("tagid=home", {}), spool, address="")
    tags.answer(_Request("tagid=home", {"cookie": SESSION}), spool, address="")
    assert (len(spool.statuses), len(spool.waiting)) == (1, 1)
    spool.waiting[0]()

    assert spool.statuses == [200, 200]


@given(
    _queries,
    st.sampled_from(["", "tagid=home&", "tagid=home%7Cw&rcpid=a%3Db&"]),
    st.sampled_from([0, 64, 4096]),
)
@example("&".join(f"{number}=x" for number in range(9_999)), "tagid=home&", 4096)
@example("color=" + "%F0%9F%8E%84" * 2_000, "tagid=" + "%F0%9F%8E%84" * 128 + "&", 4096)
@example("color=" + "\U0001f384" * 4_000, "tagid=home&", 4096)
@example("%ED%A0%80=%ff%00&\udce4=\ud800", "tagid=home&", 64)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_query_is_a_line_or_none(
    tmp_path: Path, query: str, begin: str, length_max: int
) -> None:
    """No exception, and what is written has a bounded length and reads back."""
    config = configured(tmp_path, parameters_length_max=length_max)
    spool: Any = _Answer()
    cookies, metrics = Cookies(config, SeededEntropy(1)), Metrics()
    tags = Tags(config, clock=ManualClock(NOW), cookies=cookies, recorder=spool, metrics=metrics)
    request = _Request(begin + query, {"cookie": SESSION, "user-agent": "x" * 600})
    is_answered = tags.answer(request, spool, address="2001:db8::1")

    assert spool.statuses == [200] * is_answered
    assert len(spool.lines) == is_answered
    if begin:
        assert is_answered
    for line in spool.lines:
        assert len(line) <= LINE_BYTES_MAX
        assert logline.decode(line).message_id == 300
        told = parse_qsl(logline.decode(line).parameters, keep_blank_values=True)
        assert told[0][0] == "tagid"
        assert len({name for name, _ in told}) == len(told)
