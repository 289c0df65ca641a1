"""Clicks and opens: what people get, and what is logged of them."""

import http.client
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from aftersend.collector.page import PIXEL
from aftersend.model import catalogue
from aftersend.model.catalogue import TOKEN_SLOT, Destination
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.model.token import KeyRing
from tests.support.tracking_server import (
    DELIVERY,
    MIRROR,
    NAMED,
    NOW,
    SHOP,
    Tracker,
    made_catalogue,
    publish,
    spelled,
    tracking,
)

STRANGER = KeyRing({1: bytes(32)})
PRIVATE = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "referrer-policy": "no-referrer",
}


def _private(answer: httpx.Response) -> dict[str, str]:
    return {name: answer.headers.get(name, "") for name in PRIVATE}


def _flipped(text: str) -> str:
    """Change a character in the middle of the tag."""
    return text[:-5] + ("a" if text[-5] != "a" else "b") + text[-4:]


def test_a_click_is_redirected_and_logged(tracker: Tracker) -> None:
    """The line says who clicked what, when and with what; the answer may not be stored."""
    answer = tracker.get(f"/r/{spelled(SHOP)}", **{"user-agent": "Mozilla/5.0 (X\\Y)"})
    (line,) = tracker.lines

    assert answer.status_code == 302
    assert answer.headers["location"] == "https://shop.example/?a=1&b=2#c"
    assert answer.content == b""
    assert _private(answer) == PRIVATE
    assert (line.number, line.at, line.flags, line.part) == (1, NOW, "0", "h")
    assert (line.message_id, line.delivery_id, line.url_id) == (300, DELIVERY, SHOP)
    assert (line.user_agent, line.address) == ("Mozilla/5.0 (X\\Y)", "127.0.0.1")
    assert line.parameters == ""


def test_values_of_the_token_fill_the_destination(tracker: Tracker) -> None:
    """They are values only: percent-encoded, whatever they hold."""
    text = spelled(NAMED, "Zoë & co\r\n")
    answer = tracker.get(f"/r/{text}")

    assert answer.headers["location"] == "https://shop.example/?name=Zo%C3%AB%20%26%20co%0D%0A"


def test_the_mirror_page_gets_the_token(tracker: Tracker) -> None:
    """A destination may want the token's own text."""
    text = spelled(MIRROR)

    assert tracker.get(f"/r/{text}").headers["location"] == f"https://a.example/m/{text}"


@pytest.mark.parametrize("ending", [".gif", ".png", ".GIF"])
def test_an_open_is_an_image_and_logged(tracker: Tracker, ending: str) -> None:
    """Always the same bytes, never stored, and no cookie: a picture is no visit."""
    answer = tracker.get(f"/r/{spelled(1)}{ending}")
    (line,) = tracker.lines

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.content == PIXEL
    assert _private(answer) == PRIVATE
    assert "set-cookie" not in answer.headers
    assert (line.url_id, line.flags, line.source_id) == (1, "0", "")


def test_an_open_needs_no_catalogue(tracker: Tracker) -> None:
    """A pixel signed by us is an open, even where the catalogue has not arrived or is gone."""
    answer = tracker.get(f"/r/{spelled(1, delivery_id=99)}.gif")

    assert answer.content == PIXEL
    assert [(line.delivery_id, line.flags) for line in tracker.lines] == [(99, "0")]


@pytest.mark.parametrize("path", [f"/r/{spelled(SHOP)}.gif", f"/r/{spelled(1)}"])
def test_a_token_in_an_address_of_the_other_kind_is_not_counted(
    tracker: Tracker, path: str
) -> None:
    """We never sent such an address: it gets the image, and its line is unverified."""
    answer = tracker.get(path)

    assert answer.content == PIXEL
    assert [line.flags for line in tracker.lines] == ["u"]


def test_a_bad_tag_on_a_known_link_still_arrives(tracker: Tracker) -> None:
    """The person gets to the stored place without the values; the line is never counted."""
    answer = tracker.get(f"/r/{_flipped(spelled(NAMED, 'Eve'))}")
    (line,) = tracker.lines

    assert answer.headers["location"] == "https://shop.example/?name="
    assert "set-cookie" not in answer.headers
    assert (line.flags, line.message_id) == ("u", 300)


def test_a_token_of_another_instance_is_unverified(tracker: Tracker) -> None:
    """Its ids may name links of ours, but its click is not one of ours."""
    click = tracker.get(f"/r/{spelled(SHOP, keys=STRANGER)}")
    image = tracker.get(f"/r/{spelled(1, keys=STRANGER)}.gif")

    assert (click.status_code, image.status_code) == (302, 200)
    assert [line.flags for line in tracker.lines] == ["u", "u"]


def test_an_old_key_verifies_for_ever(tracker: Tracker) -> None:
    """Mail that was signed with the first key still counts after the second came."""
    tracker.get(f"/r/{spelled(SHOP, keys=KeyRing({1: bytes(range(32))}))}")

    assert [line.flags for line in tracker.lines] == ["0"]


@pytest.mark.parametrize(
    "path",
    [
        f"/r/{spelled(99)}",
        f"/r/{spelled(SHOP, delivery_id=99)}",
        f"/r/{spelled(1, delivery_id=99, keys=STRANGER)}.gif",
        f"/r/{spelled(SHOP)}%27",
        f"/r/{spelled(SHOP)}%00",
        f"/r/{spelled(SHOP)[:-1]}",
        f"/r/{spelled(SHOP)}a",
        f"/r/{spelled(SHOP)}x.gif",
        "/r/",
        "/r",
        "/r/.gif",
        "/r/undefined",
        "/r/garbage.gif",
        "/r/" + "a" * 24,
        "/r/" + "a" * 10_000,
        "/r/%ff%fe%00",
        "/r/../../etc/passwd",
        "/r/%2e%2e/7",
        "/",
        "/favicon.ico",
        "/R/" + spelled(SHOP),
        f"/r/{spelled(SHOP)}=" + "%2541" * 101,
        "/%2541" + spelled(SHOP),
    ],
)
def test_what_is_not_ours_is_not_found(tracker: Tracker, path: str) -> None:
    """A small page without any link, nothing logged."""
    answer = tracker.get(path)

    assert answer.status_code == 404
    assert _private(answer) == PRIVATE
    assert "href" not in answer.text
    assert "://" not in answer.text
    assert tracker.lines == []


@pytest.mark.parametrize(
    "path",
    [
        f"/r/{spelled(SHOP).upper()}",
        f"/r/{spelled(SHOP).title()}",
        f"/r/{spelled(SHOP)}?fbclid=1&next=https://evil.example",
        f"/r/{spelled(SHOP)}?",
        f"/r/{spelled(SHOP)}=",
        f"/r/{spelled(SHOP)}%3D",
        f"/r/{spelled(SHOP)}&amp;utm_source=x",
        f"/r/{spelled(SHOP)}).",
        f"/r/{spelled(SHOP)}%3E",
        f"/r/{spelled(SHOP)}/",
        f"/r%2F{spelled(SHOP)}",
        f"/r%252F{spelled(SHOP)}",
        f"/%2572/{spelled(SHOP)}",
        f"/r/{spelled(SHOP)}=" + "%2541" * 100,
    ],
)
def test_what_mail_programs_do_to_an_address_changes_nothing(tracker: Tracker, path: str) -> None:
    """The person arrives at the stored place, nothing is appended to it, and the click counts."""
    answer = tracker.get(path)

    assert answer.headers["location"] == "https://shop.example/?a=1&b=2#c"
    assert [line.flags for line in tracker.lines] == ["0"]


@pytest.mark.parametrize(
    "path",
    [f"/r/{spelled(SHOP)}", f"/r/{spelled(1)}.gif", "/r/garbage", "/r/test", "/health"],
)
def test_head_is_answered_as_get_without_a_body(tracker: Tracker, path: str) -> None:
    """Status and headers are the same."""
    cookie = {"cookie": "uuid230=0b0e1a9c-5d4c-4f6e-8a57-1c9a0a1b2c3d"}
    got = tracker.client.get(path, headers=cookie)
    head = tracker.client.head(path, headers=cookie)
    moving = {"date", "content-length"} if path == "/health" else {"date"}

    assert head.status_code == got.status_code
    assert head.content == b""
    assert {name: head.headers[name] for name in head.headers if name not in moving} == {
        name: got.headers[name] for name in got.headers if name not in moving
    }


def test_head_is_logged_with_a_flag_of_its_own(tracker: Tracker) -> None:
    """Scanners ask so; it never counts."""
    tracker.client.head(f"/r/{spelled(SHOP)}")
    tracker.client.head(f"/r/{_flipped(spelled(SHOP))}")

    assert [line.flags for line in tracker.lines] == ["h", "uh"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_do_nothing(tracker: Tracker, method: str) -> None:
    """They are told what is possible."""
    answer = tracker.client.request(method, f"/r/{spelled(SHOP)}")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert tracker.lines == []


def test_an_expired_link_leads_to_its_substitute(tmp_path: Path) -> None:
    """From the moment on, not before; the line says that the link was expired."""
    made = made_catalogue(
        expires_at=datetime(2026, 1, 2, 4, tzinfo=UTC), substitution_url="https://ü.example/over"
    )
    with tracking(tmp_path, made) as tracker:
        before = tracker.get(f"/r/{spelled(SHOP)}")
        tracker.clock.set(datetime(2026, 1, 2, 4, tzinfo=UTC))
        after = tracker.get(f"/r/{spelled(SHOP)}")
        image = tracker.get(f"/r/{spelled(1)}.gif")

        assert before.headers["location"] == "https://shop.example/?a=1&b=2#c"
        assert after.headers["location"] == "https://xn--tda.example/over"
        assert "set-cookie" not in after.headers
        assert image.content == PIXEL
        assert [line.flags for line in tracker.lines] == ["0", "x", "x"]


def test_an_unsubscription_never_expires(tmp_path: Path) -> None:
    """Whoever wants no more mail may say so after all other links have expired."""
    bye = Destination(("https://app.example/u/", TOKEN_SLOT), UrlType.OPT_OUT)
    made = made_catalogue(
        expires_at=NOW, substitution_url="https://shop.example/over", urls={UrlId(9): bye}
    )
    with tracking(tmp_path, made) as tracker:
        answer = tracker.get(f"/r/{spelled(9)}")

        assert answer.headers["location"] == f"https://app.example/u/{spelled(9)}"
        assert [line.flags for line in tracker.lines] == ["0"]


def test_an_expired_link_without_substitute_is_gone(tmp_path: Path) -> None:
    """A page without any link, and the line says why."""
    with tracking(tmp_path, made_catalogue(expires_at=NOW)) as tracker:
        answer = tracker.get(f"/r/{spelled(SHOP)}")

        assert answer.status_code == 410
        assert "expired" in answer.text
        assert "href" not in answer.text
        assert [line.flags for line in tracker.lines] == ["x"]


def test_a_click_without_a_catalogue_is_told_once(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person clicked a link of ours and got nowhere: somebody should know of it, once."""
    for _ in range(3):
        tracker.get(f"/r/{spelled(SHOP, delivery_id=99)}")

    assert capsys.readouterr().out.count("a link of ours has no catalogue") == 1


def test_the_test_address_answers_who_watches(tracker: Tracker) -> None:
    """It tells that we run and who we are, and is not logged."""
    answer = tracker.get("/r/test", host="t.example'><x>")

    assert answer.status_code == 200
    assert re.fullmatch(
        r"<redir status='OK' date='2026-01-02T03:04:05.000006Z' build='[0-9.]+'"
        r" host='t.example&#x27;&gt;&lt;x&gt;' localHost='[^']+' sourceIP='127.0.0.1'/>",
        answer.text,
    )
    assert tracker.lines == []


def test_the_test_address_tells_who_asks(tmp_path: Path) -> None:
    """The client behind trusted proxies, as in the lines; nobody where that is not wanted."""
    forwarded = {"x-forwarded-for": "2001:db8::9"}
    proxies = ("127.0.0.1",)
    with tracking(tmp_path / "a", trusted_proxies=proxies, is_address_stored=False) as tracker:
        shown = tracker.get("/r/test", **forwarded).text
    with tracking(tmp_path / "b", trusted_proxies=proxies, is_source_shown=False) as tracker:
        hidden = tracker.get("/r/test", **forwarded).text

    assert shown.endswith(" sourceIP='2001:db8::9'/>")
    assert hidden.endswith(" sourceIP=''/>")


def test_health_tells_how_the_spool_fares(tracker: Tracker) -> None:
    """Green while every line is with the kernel."""
    tracker.get(f"/r/{spelled(SHOP)}")
    answer = tracker.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["spool"] == {"last": 1, "unwritten": 0, "lost": 0, "failed_syncs": 0}


def test_addresses_are_not_kept_where_that_is_wanted(tmp_path: Path) -> None:
    """Without stored addresses, the field is empty."""
    with tracking(tmp_path, is_address_stored=False) as tracker:
        tracker.get(f"/r/{spelled(SHOP)}")

        assert [line.address for line in tracker.lines] == [""]


def test_only_trusted_proxies_may_name_the_client(tmp_path: Path) -> None:
    """From anybody else the header is ignored."""
    forwarded = {"x-forwarded-for": "203.0.113.9"}
    with tracking(tmp_path / "a") as tracker:
        tracker.get(f"/r/{spelled(SHOP)}", **forwarded)

        assert [line.address for line in tracker.lines] == ["127.0.0.1"]
    with tracking(tmp_path / "b", trusted_proxies=("127.0.0.0/8",)) as tracker:
        tracker.get(f"/r/{spelled(SHOP)}", **forwarded)

        assert [line.address for line in tracker.lines] == ["203.0.113.9"]


def test_the_header_of_the_proxy_counts_not_that_of_the_client(tmp_path: Path) -> None:
    """A proxy may add a header of its own behind the one that its client made up."""
    with tracking(tmp_path, trusted_proxies=("127.0.0.1",)) as tracker:
        headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")]
        tracker.client.get(f"/r/{spelled(SHOP)}", headers=headers)

        assert [line.address for line in tracker.lines] == ["203.0.113.9"]


def test_an_answer_can_wait_for_the_disk(tmp_path: Path) -> None:
    """With an interval of 0 each line is synced before its answer leaves; all get one."""
    with tracking(tmp_path, fsync_interval_ms=0) as tracker:
        click = tracker.get(f"/r/{spelled(SHOP)}")
        image = tracker.get(f"/r/{spelled(1)}.gif")

        assert (click.status_code, image.content) == (302, PIXEL)
        assert [line.url_id for line in tracker.lines] == [SHOP, 1]


def test_a_long_user_agent_is_cut(tracker: Tracker) -> None:
    """Nobody fills the disk with his name."""
    tracker.get(f"/r/{spelled(SHOP)}", **{"user-agent": "x" * 5000})

    assert [len(line.user_agent) for line in tracker.lines] == [512]


def test_a_token_has_a_greatest_length(tracker: Tracker) -> None:
    """What may be sent may be clicked; what is longer by a character was never sent."""
    longest = next(
        text for length in range(5090, 5200) if len(text := spelled(NAMED, "x" * length)) > 8180
    )
    answer = tracker.get(f"/r/{longest}")

    assert len(longest) <= 8192
    assert len(answer.headers["location"]) > 5090
    assert tracker.get(f"/r/{longest}{'a' * 16}").status_code == 404


def test_a_name_outside_ascii_is_not_taken_for_none(tracker: Tracker) -> None:
    """The missing name of a program marks a machine, so one that cannot be read must show."""
    connection = http.client.HTTPConnection(tracker.url.removeprefix("http://"))
    connection.putrequest("GET", f"/r/{spelled(SHOP)}", skip_accept_encoding=True)
    connection.putheader("User-Agent", "Bücher".encode())
    connection.endheaders()

    assert connection.getresponse().status == 302
    assert [line.user_agent for line in tracker.lines] == ["(not ASCII)"]

    connection.close()


def test_a_new_catalogue_is_used_within_a_second(tracker: Tracker) -> None:
    """A destination that was corrected is corrected for everybody."""
    publish(tracker.config, made_catalogue(urls={SHOP: Destination(("https://new.example/",))}))
    tracker.clock.advance(1)

    assert tracker.get(f"/r/{spelled(SHOP)}").headers["location"] == "https://new.example/"


def test_a_delivery_without_a_usable_catalogue_is_not_found(tracker: Tracker) -> None:
    """A broken file is told in the log and never becomes an error for people."""
    path = tracker.config.catalogue_directory / catalogue.file_name(DeliveryId(8))
    path.write_bytes(b"{")

    assert tracker.get(f"/r/{spelled(SHOP, delivery_id=8)}").status_code == 404
    assert tracker.get(f"/r/{spelled(UrlId(9))}").status_code == 404
