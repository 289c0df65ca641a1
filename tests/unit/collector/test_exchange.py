"""The guarded addresses: nobody else reads lines or changes where links lead."""

import asyncio
import http.client
import json
import threading
from pathlib import Path

import httpx
import pytest

from aftersend.collector import exchange, guard
from aftersend.model import catalogue
from aftersend.model.catalogue import CATALOGUE_BYTES_MAX, Destination
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform import files
from aftersend.spool import Limits, acknowledged
from tests.support.tracking_server import (
    DELIVERY,
    PASSWORD,
    SHOP,
    Tracker,
    made_catalogue,
    spelled,
    tracking,
)


def _click(tracker: Tracker, count: int) -> None:
    for number in range(1, count + 1):
        tracker.get(f"/r/{spelled(SHOP, message_id=number)}")


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/logs"),
        ("POST", "/logs/acknowledge"),
        ("PUT", "/catalogue/7"),
        ("GET", "/catalogue/"),
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {PASSWORD}"},
        {"authorization": f"Bearer {PASSWORD}x"},
        {"authorization": f"Bearer {PASSWORD}"[:-1]},
    ],
)
def test_without_the_password_nothing_is_done(
    tracker: Tracker, method: str, path: str, headers: dict[str, str]
) -> None:
    """One answer for every way of not knowing it."""
    answer = tracker.client.request(method, path, headers=headers, content=b"{}")

    assert _refusal(answer) == (401, "The registration password is missing or wrong.")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_lines_are_handed_on_as_they_are_stored(tracker: Tracker) -> None:
    """The body is the bytes of the file; the headers say which, from where and how far."""
    _click(tracker, 3)
    answer = tracker.admin("GET", "/logs?after=&count=2")
    stored = (tracker.config.spool_directory / answer.headers["x-segment"]).read_bytes()

    assert answer.status_code == 200
    assert answer.headers["x-last"] == "10x0000000000000002"
    assert answer.headers["x-offset"] == "0"
    assert answer.content == b"".join(stored.splitlines(keepends=True)[:2])

    rest = tracker.admin("GET", f"/logs?after={answer.headers['x-last']}")

    assert rest.headers["x-offset"] == str(len(answer.content))
    assert answer.content + rest.content == stored


def test_without_new_lines_the_answer_is_empty(tracker: Tracker) -> None:
    """The place to ask from stays the same."""
    assert tracker.admin("GET", "/logs").headers["x-last"] == ""

    _click(tracker, 1)
    answer = tracker.admin("GET", "/logs?after=10x0000000000000001")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-last"] == "10x0000000000000001"


@pytest.mark.parametrize(("query", "count"), [("", 30), ("?count=0", 40), ("?count=10000", 40)])
def test_thirty_lines_are_usual(tracker: Tracker, query: str, count: int) -> None:
    """Up to ten thousand may be asked for, or all of them."""
    _click(tracker, 40)

    assert len(tracker.admin("GET", f"/logs{query}").content.splitlines()) == count


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("count=-1", "count is a number from 0 to 10000."),
        ("count=10001", "count is a number"),
        ("count=x", "count is a number"),
        ("count=٣", "count is a number"),
        ("count=", "count is a number"),
        ("after=1", "'1' is no log id of this tracking server"),
        ("after=20x0000000000000001", "no log id of this tracking server"),
        ("after=10x000000000000000g", "no log id"),
        ("after=10x00000000000000ff", "no log id"),
        ("after=1 x0000000000000001", "no log id"),
        ("after=10xFFFFFFFFFFFFFFFF", "no log id"),
        ("after=10x0000000000000001%00", "no log id"),
        ("after=&after=", "The parameters are after, server and count, each at most once."),
        ("before=1", "The parameters are after, server and count"),
        ("x", "The parameters of the address cannot be read."),
        ("&".join(f"a{n}=1" for n in range(50)), "The parameters of the address cannot be read."),
    ],
)
def test_wrong_parameters_are_told(tracker: Tracker, query: str, sentence: str) -> None:
    """One clear sentence, and never an error of ours."""
    status, error = _refusal(tracker.admin("GET", f"/logs?{query}"))

    assert status == 400
    assert sentence in error


def test_a_position_behind_the_end_is_told(tracker: Tracker) -> None:
    """Who has read more than there is must know that the folder was replaced."""
    status, error = _refusal(tracker.admin("GET", "/logs?after=10x0000000000000005"))

    assert status == 409
    assert "emptied or replaced" in error


def test_what_was_stored_is_acknowledged(tmp_path: Path) -> None:
    """Whole segments go once their reader has them."""
    with tracking(tmp_path, limits=Limits(segment_bytes_max=300)) as tracker:
        _click(tracker, 6)
        answer = tracker.admin("POST", "/logs/acknowledge?reader=tracking&upto=10x0000000000000005")

        assert answer.json()["acknowledged"] == 5
        assert answer.json()["segments_removed"] >= 1
        assert acknowledged(tracker.config.spool_directory) == {"tracking": 5}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "name of a reader"),
        ("reader=../x&upto=10x0000000000000001", "name of a reader"),
        ("reader=tracking&upto=10x0000000000000002", "the last one is 1"),
        ("reader=tracking&upto=1", "no log id"),
        ("reader=tracking&number=1", "The parameters are reader and upto"),
    ],
)
def test_a_wrong_acknowledgement_is_told(tracker: Tracker, query: str, sentence: str) -> None:
    """Nothing is removed by mistake."""
    _click(tracker, 1)
    status, error = _refusal(tracker.admin("POST", f"/logs/acknowledge?{query}"))

    assert status == 400
    assert sentence in error
    assert acknowledged(tracker.config.spool_directory) == {}


def test_a_catalogue_is_published(tracker: Tracker) -> None:
    """Clicks follow it at once, though the clock has not moved."""
    tracker.get(f"/r/{spelled(SHOP)}")
    made = made_catalogue(urls={SHOP: Destination(("https://new.example/",))})
    answer = tracker.admin("PUT", "/catalogue/7", catalogue.encode(made))

    assert answer.json() == {"delivery": 7}
    assert tracker.get(f"/r/{spelled(SHOP)}").headers["location"] == "https://new.example/"
    assert catalogue.decode((tracker.config.catalogue_directory / "7.json").read_bytes()) == made


@pytest.mark.parametrize(
    ("path", "raw", "sentence"),
    [
        ("/catalogue/7", b"{", "it is not JSON"),
        ("/catalogue/7", b"", "it is not JSON"),
        (
            "/catalogue/7",
            catalogue.encode(made_catalogue(delivery_id=DeliveryId(8))),
            "it is that of delivery 8, not 7.",
        ),
        ("/catalogue/", b"{}", "The address names no delivery"),
        ("/catalogue/0", b"{}", "The address names no delivery"),
        ("/catalogue/-1", b"{}", "The address names no delivery"),
        ("/catalogue/٣", b"{}", "The address names no delivery"),
        ("/catalogue/..%2F7", b"{}", "The address names no delivery"),
        ("/catalogue/9223372036854775808", b"{}", "The address names no delivery"),
        ("/catalogue/7.json", b"{}", "The address names no delivery"),
    ],
)
def test_a_wrong_catalogue_changes_nothing(
    tracker: Tracker, path: str, raw: bytes, sentence: str
) -> None:
    """The old one serves on."""
    before = sorted(tracker.config.catalogue_directory.iterdir())
    status, error = _refusal(tracker.admin("PUT", path, raw))

    assert status == 400
    assert sentence in error
    assert sorted(tracker.config.catalogue_directory.iterdir()) == before
    assert tracker.get(f"/r/{spelled(SHOP)}").status_code == 302


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/catalogue/0", 400),
        ("DELETE", "/catalogue/7", 405),
        ("PUT", "/registration", 401),
        ("POST", "/metrics", 405),
        ("POST", f"/r/{spelled(SHOP)}", 405),
        ("POST", "/res/logo.png", 405),
    ],
)
@pytest.mark.parametrize("announced", [("Content-Length", "2"), ("Transfer-Encoding", "chunked")])
def test_an_answer_that_awaits_no_body_ends_the_connection(
    tracker: Tracker, method: str, path: str, status: int, announced: tuple[str, str]
) -> None:
    """It says so: the next request would be lost on a connection that is about to be closed."""
    password = PASSWORD if path.startswith("/catalogue") else "wrong"
    connection = http.client.HTTPConnection(tracker.url.removeprefix("http://"))
    connection.putrequest(method, path)
    connection.putheader("Authorization", f"Bearer {password}")
    connection.putheader(*announced)
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.status == status
    assert answer.getheader("connection") == "close"

    connection.close()


def test_a_refusal_of_a_request_without_a_body_keeps_the_connection(tracker: Tracker) -> None:
    """Who asks with GET may ask again on it."""
    assert "connection" not in tracker.admin("GET", "/catalogue/99").headers


def test_a_catalogue_that_is_too_large_is_not_even_read(tracker: Tracker) -> None:
    """The announced length is enough to refuse it."""
    connection = http.client.HTTPConnection(tracker.url.removeprefix("http://"))
    connection.putrequest("PUT", "/catalogue/7")
    connection.putheader("Authorization", f"Bearer {PASSWORD}")
    connection.putheader("Content-Length", str(CATALOGUE_BYTES_MAX + 1))
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.status == 413
    assert "at most 33554432 bytes" in json.loads(answer.read())["error"]

    connection.close()


def test_a_catalogue_that_grows_too_large_is_cut_off(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an announced length, reading stops at the limit."""
    monkeypatch.setattr(exchange, "CATALOGUE_BYTES_MAX", 1000)
    answer = tracker.client.put(
        "/catalogue/7",
        headers={"authorization": f"Bearer {PASSWORD}"},
        content=iter([b"x" * 600, b"x" * 600]),
    )

    assert answer.status_code == 413


def test_a_catalogue_that_does_not_arrive_is_given_up(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that has died in the middle holds nothing for ever."""
    monkeypatch.setattr(guard, "_BODY_SECONDS_MAX", 0.05)
    connection = http.client.HTTPConnection(tracker.url.removeprefix("http://"))
    connection.putrequest("PUT", "/catalogue/7")
    connection.putheader("Authorization", f"Bearer {PASSWORD}")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"12345")
    answer = connection.getresponse()

    assert answer.status == 408
    assert "did not arrive in time" in json.loads(answer.read())["error"]

    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/logs", "GET"),
        ("HEAD", "/logs", "GET"),
        ("GET", "/logs/acknowledge", "POST"),
        ("POST", "/catalogue/7", "GET, PUT"),
    ],
)
def test_a_wrong_method_is_told(tracker: Tracker, method: str, path: str, allowed: str) -> None:
    """Each address does one thing."""
    answer = tracker.admin(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_failing_disk_is_told(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be stored was not stored, and the application hears of it."""

    def fail(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomic", fail)
    answer = tracker.admin("PUT", "/catalogue/7", catalogue.encode(made_catalogue()))

    assert _refusal(answer) == (503, "The disk failed: No space left on device.")


def test_requests_at_once_are_bounded(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever knows the password can still not take all of the server's memory."""
    monkeypatch.setattr(guard, "_REQUESTS_AT_ONCE", 1)
    entered, leave = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def wait_there(*_: object, **__: object) -> bytes:
        loops.append(asyncio.get_running_loop())
        entered.set()
        await leave.wait()
        return b""

    monkeypatch.setattr(exchange, "body_of", wait_there)
    first = threading.Thread(target=tracker.admin, args=("PUT", "/catalogue/7"))
    first.start()
    entered.wait()
    with httpx.Client(base_url=tracker.url) as client:
        answer = client.get("/logs", headers={"authorization": f"Bearer {PASSWORD}"})
    loops[0].call_soon_threadsafe(leave.set)
    first.join()

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


def test_another_server_has_other_ids(tmp_path: Path) -> None:
    """A reader that asks the wrong server is told."""
    with tracking(tmp_path, server_id=ServerId("z")) as tracker:
        _click(tracker, 1)

        assert tracker.admin("GET", "/logs?after=10x0000000000000001").status_code == 400
        assert tracker.admin("GET", "/logs").headers["x-last"] == "z0x0000000000000001"


def test_published_text_is_never_guessed(tracker: Tracker) -> None:
    """A link that the catalogue does not name leads nowhere."""
    assert tracker.get(f"/r/{spelled(77, delivery_id=DELIVERY)}").status_code == 404
