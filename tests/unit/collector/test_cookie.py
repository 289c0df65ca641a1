"""Cookies: one browser is told from another, unless its user does not want that."""

import re
import uuid
from pathlib import Path

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.collector.cookie import Cookies, is_refused, last_delivery_of, session_of, source_of
from aftersend.model import token
from aftersend.model.enumeration import Part
from aftersend.model.ids import MessageId
from aftersend.model.token import Token
from aftersend.platform.entropy import SeededEntropy
from tests.support.tracking_server import (
    DELIVERY,
    KEYS,
    NAMED,
    SHOP,
    Tracker,
    configured,
    spelled,
    tracking,
)

SOURCE = "e5155671-4ab7-4bd4-8b2c-0123456789ab"
OTHER = "00000000-4ab7-4bd4-8b2c-0123456789ab"
SESSION = spelled(SHOP)
LAX = "; Path=/; HttpOnly; SameSite=Lax"


def _set(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def test_a_new_browser_gets_three_cookies(tracker: Tracker) -> None:
    """The session knows the message, the others a random UUID that is logged, and the delivery."""
    text = spelled(SHOP, delivery_id=7, message_id=300)
    session, permanent, last = _set(tracker.get(f"/r/{text}"))
    found = re.fullmatch(
        r"uuid230=([0-9a-f-]{36}); Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax", permanent
    )

    assert session == f"nlid={text}; Path=/; HttpOnly; SameSite=Lax"
    assert last == "nllastdelid=7; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax"
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
        f"uuid={SOURCE}",
        f"uuid=x; a=b; uuid={SOURCE}",
        f"uuid={OTHER}; uuid230={SOURCE}",
    ],
)
def test_a_known_browser_keeps_its_source(tracker: Tracker, header: str) -> None:
    """The same UUID is logged and prolonged, however its cookie is called (spec §7.17, 16)."""
    _, permanent, _ = _set(tracker.get(f"/r/{spelled(SHOP)}", cookie=header))

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
    assert len(_set(tracker.get(f"/r/{spelled(SHOP)}", cookie=header))) == 3


def test_an_open_logs_the_source_but_sets_none(tracker: Tracker) -> None:
    """A browser that shows the mail may be recognised; a picture makes nobody known."""
    answer = tracker.get(f"/r/{spelled(1)}.gif", cookie=f"uuid230={SOURCE}")

    assert _set(answer) == []
    assert [line.source_id for line in tracker.lines] == [SOURCE]


def test_cookies_follow_the_settings(tmp_path: Path) -> None:
    """Each has its own life; all have the mark for encrypted connections only."""
    with tracking(tmp_path, cookie_days=30, last_delivery_days=2, is_cookie_secure=True) as tracker:
        session, permanent, last = _set(tracker.get(f"/r/{spelled(SHOP)}"))

        assert session.endswith(f"{LAX}; Secure")
        assert permanent.endswith(f"; Max-Age=2592000{LAX}; Secure")
        assert last == f"nllastdelid=7; Max-Age=172800{LAX}; Secure"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("t.shop.example", "; Domain=shop.example"),
        ("T.Shop.Example:8443", "; Domain=shop.example"),
        ("shop.example", "; Domain=shop.example"),
        ("t.brand.example", "; Domain=.brand.example"),
        ("t.eu.brand.example", "; Domain=eu.brand.example"),
        ("brand.example", "; Domain=.brand.example"),
        ("eshop.example", ""),
        ("shop.example.evil.example", ""),
        ("192.0.2.1", ""),
        ("[2001:db8::1]:80", ""),
        ("t.shop.example:x", ""),
    ],
)
def test_the_first_domain_of_the_host_is_chosen(tmp_path: Path, host: str, domain: str) -> None:
    """Browsers drop a cookie for a domain that is not theirs: then it is the host's alone."""
    domains = ("eu.brand.example", "shop.example", ".brand.example")
    with tracking(tmp_path, cookie_domains=domains) as tracker:
        cookies = _set(tracker.get(f"/r/{spelled(SHOP)}", host=host))

        assert [cookie.partition("; SameSite=Lax")[2] for cookie in cookies] == [domain] * 3


def test_cookies_for_pages_of_other_sites_are_secure(tmp_path: Path) -> None:
    """A browser takes SameSite=None over encrypted connections only."""
    config = configured(tmp_path, cookie_same_site="none", is_cookie_secure=True)
    (_, value), *_ = Cookies(config, SeededEntropy(1)).of_visit({}, SOURCE)

    assert value == f"uuid230={SOURCE}; Max-Age=31536000; Path=/; HttpOnly; SameSite=None; Secure"


def test_the_policy_goes_with_permanent_cookies(tmp_path: Path) -> None:
    """Browsers of before 2016 drop them without; an image sets none, so it has no policy."""
    with tracking(tmp_path, p3p_policy="CAO DSP COR") as tracker:
        click = tracker.get(f"/r/{spelled(SHOP)}")
        image = tracker.get(f"/r/{spelled(1)}.gif")
        refused = tracker.get(f"/r/{spelled(SHOP)}", cookie="acoptout=1")

        assert click.headers["p3p"] == 'CP="CAO DSP COR"'
        assert len(_set(click)) == 3
        assert "p3p" not in image.headers
        assert "p3p" not in refused.headers


def test_without_policy_nothing_is_told(tracker: Tracker) -> None:
    """An empty header would be no policy."""
    assert "p3p" not in tracker.get(f"/r/{spelled(SHOP)}").headers


def test_a_server_without_cookies_neither_sets_nor_reads_them(tmp_path: Path) -> None:
    """Clicks and opens are logged without a source: the recipient tells persons apart."""
    with tracking(tmp_path, is_cookieless=True, p3p_policy="CAO") as tracker:
        headers = {"cookie": f"uuid230={SOURCE}; uuid={OTHER}"}
        click = tracker.get(f"/r/{spelled(SHOP)}", **headers)
        image = tracker.get(f"/r/{spelled(1)}.gif", **headers)

        assert (click.status_code, image.status_code) == (302, 200)
        assert (_set(click), _set(image)) == ([], [])
        assert "p3p" not in click.headers
        assert [line.source_id for line in tracker.lines] == ["", ""]


def test_a_long_token_is_remembered_without_its_values(tracker: Tracker) -> None:
    """The cookie comes with every request: it holds the same ids, signed, and no more."""
    text = spelled(NAMED, "Zoë" * 60, message_id=300)
    session, *_ = _set(tracker.get(f"/r/{text}"))
    name, _, short = session.partition(";")[0].partition("=")

    assert (name, len(text) > 200, len(short) <= 200) == ("nlid", True, True)
    assert token.decode(short, keys=KEYS) == Token(Part.HTML, DELIVERY, MessageId(300), NAMED)


def test_a_token_of_200_characters_is_remembered_as_it_is(tracker: Tracker) -> None:
    """The bound itself is within."""
    text = next(text for length in range(200) if len(text := spelled(NAMED, "x" * length)) >= 199)
    session, *_ = _set(tracker.get(f"/r/{text}"))

    assert len(text) in (199, 200)
    assert session.startswith(f"nlid={text};")


@pytest.mark.parametrize(
    ("header", "session", "delivery_id"),
    [
        (f"nlid={SESSION}", SESSION, 0),
        (f"a=b; ID={SESSION};c", SESSION, 0),
        (f"id={SESSION}; nllastdelid=e6", SESSION, 230),
        (f"id={SESSION[::-1]}; nlid={SESSION}", SESSION, 0),
        (f"Id={SESSION}; NLLASTDELID=7", "", 0),
        (f"xnlid={SESSION}; xnllastdelid=7", "", 0),
        (f"nlid={SESSION}|7; nllastdelid=7g", "", 0),
        ("nlid=12c|7; nllastdelid=7fffffffffffffff", "", 2**63 - 1),
        ("nlid=; nllastdelid=8000000000000000", "", 0),
        (f"nlid={'a' * 201}; nllastdelid={'1' * 17}", "", 0),
    ],
)
def test_what_a_session_knows_is_read_within_bounds(
    header: str, session: str, delivery_id: int
) -> None:
    """Older names are understood; what no cookie of ours can hold is no cookie of ours."""
    assert session_of(header) == session
    assert last_delivery_of(header) == delivery_id


def test_the_deliveries_of_many_clicks_fill_nothing(tmp_path: Path) -> None:
    """What is kept ready for a delivery is bounded, and right after it was dropped."""
    cookies = Cookies(configured(tmp_path), SeededEntropy(3))
    for delivery_id in (*range(1, 2500), 1):
        clicked = Part.HTML, delivery_id, 300, 2, (), True
        _, (_, _, last) = cookies.of_click({}, clicked, SESSION)

        assert last[1].startswith(f"nllastdelid={delivery_id:x};")

    assert len(cookies._here.last_headers) <= 1000


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
