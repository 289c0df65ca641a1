"""Cookies: one browser is told from another, unless its user does not want that."""

import re
import uuid
from pathlib import Path

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.collector.cookie import Cookies, is_refused, source_of
from aftersend.platform.entropy import SeededEntropy
from tests.support.tracking_server import SHOP, Tracker, configured, spelled, tracking

SOURCE = "e5155671-4ab7-4bd4-8b2c-0123456789ab"


def _set(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def test_a_new_browser_gets_both_cookies(tracker: Tracker) -> None:
    """The session knows message and delivery, the permanent one a random UUID that is logged."""
    session, permanent = _set(tracker.get(f"/r/{spelled(SHOP, message_id=300)}"))
    found = re.fullmatch(
        r"uuid230=([0-9a-f-]{36}); Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax", permanent
    )

    assert session == "nlid=12c|7; Path=/; HttpOnly; SameSite=Lax"
    assert found is not None
    assert uuid.UUID(found[1]).version == 4
    assert uuid.UUID(found[1]).variant == uuid.RFC_4122
    assert [line.source_id for line in tracker.lines] == [found[1]]


@pytest.mark.parametrize(
    "header",
    [
        f"uuid230={SOURCE}",
        f"uuid230={SOURCE.upper()}",
        f"nlid=1|2; uuid230={SOURCE}; a=b",
        f"a=b;uuid230={SOURCE} ;c=d",
    ],
)
def test_a_known_browser_keeps_its_source(tracker: Tracker, header: str) -> None:
    """The same UUID is logged and prolonged, however the browser spells its header."""
    _, permanent = _set(tracker.get(f"/r/{spelled(SHOP)}", cookie=header))

    assert permanent.startswith(f"uuid230={SOURCE};")
    assert [line.source_id for line in tracker.lines] == [SOURCE]


@pytest.mark.parametrize(
    "header",
    ["uuid230=", "uuid230=x", f"uuid230={SOURCE}0", f"xuuid230={SOURCE}", f"uuid230={SOURCE[:-1]}"],
)
def test_an_invalid_source_is_replaced(tracker: Tracker, header: str) -> None:
    """Nobody writes into our log what is no UUID."""
    tracker.get(f"/r/{spelled(SHOP)}", cookie=header)

    assert re.fullmatch(r"[0-9a-f-]{36}", tracker.lines[0].source_id)
    assert tracker.lines[0].source_id != SOURCE


def test_browsers_that_refuse_cookies_are_all_new(tracker: Tracker) -> None:
    """Each click without a cookie is another source (spec §4.4)."""
    for _ in range(2):
        tracker.client.cookies.clear()
        tracker.get(f"/r/{spelled(SHOP)}")
    first, second = tracker.lines

    assert first.source_id != second.source_id


@pytest.mark.parametrize("header", ["acoptout=1", f"a=b; acoptout=1; uuid230={SOURCE}"])
def test_who_refuses_is_not_recognised(tracker: Tracker, header: str) -> None:
    """No cookie is set, no source is logged; the click itself is."""
    answer = tracker.get(f"/r/{spelled(SHOP)}", cookie=header)

    assert answer.status_code == 302
    assert _set(answer) == []
    assert [line.source_id for line in tracker.lines] == [""]


@pytest.mark.parametrize("header", ["acoptout=0", "acoptout=", "acoptout=11", "xacoptout=1"])
def test_only_a_one_is_a_refusal(tracker: Tracker, header: str) -> None:
    """0 and absent both mean that cookies are allowed (spec §4.4)."""
    assert len(_set(tracker.get(f"/r/{spelled(SHOP)}", cookie=header))) == 2


def test_an_open_logs_the_source_but_sets_none(tracker: Tracker) -> None:
    """A browser that shows the mail may be recognised; a picture makes nobody known."""
    answer = tracker.get(f"/r/{spelled(1)}.gif", cookie=f"uuid230={SOURCE}")

    assert _set(answer) == []
    assert [line.source_id for line in tracker.lines] == [SOURCE]


def test_cookies_follow_the_settings(tmp_path: Path) -> None:
    """Domain, days and the mark for encrypted connections only."""
    with tracking(
        tmp_path, cookie_domain=".example.com", cookie_days=30, is_cookie_secure=True
    ) as tracker:
        session, permanent = _set(tracker.get(f"/r/{spelled(SHOP)}"))

        assert session.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure; Domain=.example.com")
        assert "; Max-Age=2592000;" in permanent


def test_sources_never_repeat(tmp_path: Path) -> None:
    """Many are drawn at once, each is given once, all are UUIDs of version 4."""
    cookies = Cookies(configured(tmp_path), SeededEntropy(3))
    drawn = [cookies.new_source() for _ in range(1000)]

    assert len(set(drawn)) == 1000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in drawn} == {
        (4, uuid.RFC_4122)
    }
    assert all(text == str(uuid.UUID(text)) for text in drawn)


@given(st.text())
@example("x" * 36)
@example(f"{SOURCE}\t")
def test_any_header_can_be_read(header: str) -> None:
    """Whatever a client sends, the source fits the log; killed: a UUID of any letters."""
    assert re.fullmatch(r"([0-9a-f-]{36})?", source_of(f"uuid230={header}"))
    assert source_of(f"uuid230={header}; uuid230={SOURCE}") in ("", SOURCE, header.strip().lower())
    assert is_refused(header) in (True, False)
