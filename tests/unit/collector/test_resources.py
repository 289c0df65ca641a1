"""Public resources: what a folder holds, nothing beside it, and what spare servers have."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.collector import resources
from aftersend.collector.resources import parts_of
from tests.support.spare_server import SpareServer, asked, lending
from tests.support.tracking_server import PASSWORD, Tracker, tracking

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
SECRET = b"secret"
MODIFIED_S = 1_700_000_000
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


@contextmanager
def serving(directory: Path, *spares: SpareServer, **changes: Any) -> Iterator[Tracker]:
    """Run a tracking server with one image, and secrets all around it."""
    root = directory / "res"
    (root / "img").mkdir(parents=True)
    (root / "img" / "logo.png").write_bytes(PNG)
    os.utime(root / "img" / "logo.png", (MODIFIED_S, MODIFIED_S))
    (directory / "secret.png").write_bytes(SECRET)
    (root / ".secret.png").write_bytes(SECRET)
    (root / ".git").mkdir()
    (root / ".git" / "secret.png").write_bytes(SECRET)
    (root / "secret.html").write_bytes(SECRET)
    (root / "secret").write_bytes(SECRET)
    (root / "link.png").symlink_to(directory / "secret.png")
    (root / "away").symlink_to(directory)
    os.mkfifo(root / "pipe.png")
    urls = tuple(spare.url for spare in spares)
    with tracking(directory, resource_directory=root, spare_servers=urls, **changes) as tracker:
        yield tracker


def _asked_as_it_is(tracker: Tracker, path: str) -> tuple[int, str | None, bytes]:
    """Ask with the password, and with a path that no client has made plain before."""
    with closing(http.client.HTTPConnection(tracker.url.removeprefix("http://"))) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {PASSWORD}"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("cache-control"), answer.read()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Tracker]:
    """Run one without spare servers."""
    with serving(tmp_path) as tracker:
        yield tracker


def test_a_file_is_given_with_all_that_caches_want(server: Tracker) -> None:
    """Type by ending, never guessed; kept for an hour, then asked for by its tag."""
    answer = server.get("/res/img/logo.png")

    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(PNG))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["last-modified"] == MODIFIED
    assert answer.headers["etag"] == f'"{MODIFIED_S:x}-{len(PNG):x}"'
    assert server.lines == []


def test_a_head_tells_the_same_without_a_body(server: Tracker) -> None:
    """Only the bytes are missing."""
    whole, head = server.get("/res/img/logo.png"), server.client.head("/res/img/logo.png")

    del whole.headers["date"], head.headers["date"]
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": f'"{MODIFIED_S:x}-{len(PNG):x}"'}, 304),
        ({"if-none-match": f'"x", W/"{MODIFIED_S:x}-{len(PNG):x}"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": '"other"', "if-modified-since": MODIFIED}, 200),
        ({"if-modified-since": MODIFIED}, 304),
        ({"if-modified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
        ({"if-modified-since": "nonsense"}, 200),
    ],
)
def test_who_has_a_file_gets_it_no_second_time(
    server: Tracker, headers: dict[str, str], status: int
) -> None:
    """The tag counts; without one, the time."""
    answer = server.get("/res/img/logo.png", **headers)

    assert (answer.status_code, answer.content) == (status, PNG if status == 200 else b"")
    assert answer.headers["etag"]


@pytest.mark.parametrize("size", [0, 65_536, 65_537, 3_000_000])
def test_files_of_any_size_arrive_whole(server: Tracker, size: int) -> None:
    """Small ones at once, large ones as the client takes them."""
    data = bytes(each % 251 for each in range(size))
    assert server.config.resource_directory is not None
    (server.config.resource_directory / "a.pdf").write_bytes(data)
    answer = server.get("/res/a.pdf")

    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == "application/pdf"
    assert server.client.head("/res/a.pdf").headers["content-length"] == str(size)


def test_a_file_beyond_the_limit_does_not_exist(
    server: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither here nor for other servers."""
    monkeypatch.setattr(resources, "RESOURCE_BYTES_MAX", len(PNG) - 1)

    assert server.get("/res/img/logo.png").status_code == 404
    assert server.admin("GET", "/spare/res/img/logo.png").status_code == 404


def test_a_drawing_runs_no_script(server: Tracker) -> None:
    """Who opens it by itself gets it in a sandbox; other types are shown as they are."""
    assert server.config.resource_directory is not None
    (server.config.resource_directory / "a.SVG").write_bytes(b"<svg/>")

    policy = server.get("/res/a.SVG").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "content-security-policy" not in server.get("/res/img/logo.png").headers


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "img",
        "img/",
        "img/none.png",
        "img//logo.png",
        "/img/logo.png",
        "img/./logo.png",
        "img/../img/logo.png",
        "../secret.png",
        "%2e%2e/secret.png",
        "%2e%2e%2fsecret.png",
        "..%5csecret.png",
        "%252e%252e%252fsecret.png",
        ".secret.png",
        ".git/secret.png",
        "secret.html",
        "secret",
        "link.png",
        "away/secret.png",
        "pipe.png",
        "secret.html%00.png",
        "img/logo.png/secret.png",
        "img/logo.png%0a",
        "x" * 300 + ".png",
        "a/" * 20 + "a.png",
        "%ff%fe.png",
    ],
)
def test_what_is_no_file_of_ours_is_not_found(server: Tracker, path: str) -> None:
    """Folders, hidden files, other types, links, pipes, and every way of leaving the folder."""
    status, kept, content = _asked_as_it_is(server, f"/res/{path}")

    assert (status, kept) == (404, "no-store")
    assert SECRET not in content


PATHS = st.lists(
    st.sampled_from(
        [
            "..", ".", "", "%2e%2e", "%2E.", "..%2f", "%2f", "\\", "..\\", "%5c", "\0", "%00", "/",
            "//", "img", "logo.png", "secret.png", ".git", "away", "link.png", ";", "~", "C:",
            "\u2025", "\uff0e\uff0e", "%c0%ae%c0%ae", "png", ".png",
        ]
    )
    | st.text(max_size=5),
    max_size=8,
).map("/".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(PATHS)
@example("../secret.png")
@example("away/secret.png")
@example("/etc/logo.png")
def test_a_path_never_leaves_the_folder(path: str) -> None:
    """Whatever is taken apart is joined to a file below the folder, by plain names.

    Killed: a part of two dots; an absolute part; a part that is empty.
    """
    parts = parts_of(path)
    if parts is not None:
        joined = os.path.normpath(os.path.join("/srv/res", *parts))  # noqa: PTH118

        assert joined == "/srv/res/" + path
        assert "\0" not in joined
        assert not any(part.startswith(".") for part in parts)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """Run one server for many questions."""
    with serving(tmp_path_factory.mktemp("guarded")) as tracker:
        yield tracker


@settings(deadline=None)
@given(PATHS, st.booleans())
def test_no_address_shows_what_is_not_ours(guarded: Tracker, path: str, is_lent: bool) -> None:
    """Asked in public or by a server of the set: the one image, or nothing.

    Killed: links that are followed.
    """
    try:
        raw = quote(f"{'/spare' if is_lent else ''}/res/{path}", safe="/%.\\")
    except UnicodeEncodeError:
        return  # no client can spell that
    status, _, content = _asked_as_it_is(guarded, raw)

    assert status in (200, 404)
    assert (status == 200) == (content == PNG)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_resources_can_only_be_read(server: Tracker, method: str) -> None:
    """In public, and among servers."""
    assert server.client.request(method, "/res/img/logo.png").status_code == 405
    assert server.admin(method, "/spare/res/img/logo.png").status_code == 405


def test_servers_of_the_set_are_lent_what_lies_here(server: Tracker) -> None:
    """With the password; nobody else is told anything."""
    answer = server.admin("GET", "/spare/res/img/logo.png")
    missing = server.admin("GET", "/spare/res/img/none.png")

    assert (answer.content, answer.headers["last-modified"]) == (PNG, MODIFIED)
    assert answer.headers["x-server-id"] == "1"
    assert missing.status_code == 404
    assert missing.json() == {"error": "This tracking server has no such resource."}
    assert server.get("/spare/res/img/logo.png").status_code == 401


def test_what_is_missing_comes_from_a_spare_and_stays(tmp_path: Path) -> None:
    """It is asked for once, and keeps its time, so its tag is the same on all servers."""
    spare = SpareServer(PNG, headers={"X-Server-Id": "9", "Last-Modified": MODIFIED})
    with lending(spare), serving(tmp_path, spare) as server:
        first, second = (server.get("/res/new/größe 1.png") for _ in range(2))

    assert (first.content, second.content) == (PNG, PNG)
    assert first.headers["etag"] == f'"{MODIFIED_S:x}-{len(PNG):x}"'
    assert spare.questions == [
        ("/spare/res/new/gr%C3%B6%C3%9Fe%201.png", f"Bearer {PASSWORD}"),
    ]


def test_what_nobody_has_is_asked_for_once_a_minute(tmp_path: Path) -> None:
    """In between, the answer is known."""
    spare = SpareServer(status=404)
    with lending(spare), serving(tmp_path, spare) as server:
        statuses = [server.get("/res/none.png").status_code for _ in range(3)]
        count = asked(spare)
        server.clock.advance(60)
        server.get("/res/none.png")

    assert (statuses, count, asked(spare)) == ([404] * 3, [1], [2])


def test_bad_paths_are_never_asked_for(tmp_path: Path) -> None:
    """Nobody makes this server ask others for what cannot be."""
    spare = SpareServer(PNG)
    with lending(spare), serving(tmp_path, spare) as server:
        for path in ("../secret.png", ".x.png", "a.html", "a", "a//b.png", ""):
            _asked_as_it_is(server, f"/res/{path}")

    assert asked(spare) == [0]


def test_made_up_names_ask_spares_a_bounded_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may make names up; after a minute there is room again.

    Killed: a bound that known misses count against.
    """
    monkeypatch.setattr(resources, "_QUESTIONS_MAX", 3)
    spare = SpareServer(status=404)
    with lending(spare), serving(tmp_path, spare) as server:
        for _ in range(5):
            server.get("/res/same.png")
        for number in range(10):
            server.get(f"/res/{number}.png")
        count = asked(spare)
        server.clock.advance(60)
        server.get("/res/later.png")

    assert (count, asked(spare)) == ([3], [4])


def test_nothing_is_stored_where_a_link_leads(tmp_path: Path) -> None:
    """A file that a spare server gives stays inside the folder."""
    spare = SpareServer(PNG)
    with lending(spare), serving(tmp_path, spare) as server:
        answer = server.get("/res/away/new/a.png")

    assert answer.status_code == 404
    assert not (tmp_path / "new").exists()


def test_a_slow_spare_holds_nobody_else_up(tmp_path: Path) -> None:
    """While one person waits for a file that is elsewhere, others get theirs."""
    spare = SpareServer(PNG)
    with lending(spare, is_open=False), serving(tmp_path, spare) as server:
        waiting = threading.Thread(target=httpx.get, args=(f"{server.url}/res/far.png",))
        waiting.start()
        spare.has_come.wait(10)
        answer = server.get("/res/img/logo.png")
        is_still_waiting = waiting.is_alive()
        spare.gate.set()
        waiting.join()

    assert (answer.status_code, is_still_waiting) == (200, True)


def test_requests_at_once_are_bounded(server: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when all places are taken may come again."""
    monkeypatch.setattr(resources, "_AT_ONCE", 0)
    answer = server.get("/res/img/logo.png")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_failing_disk_is_told(server: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the same as a file that is not there."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(resources, "_read", fail)

    assert server.get("/res/img/logo.png").status_code == 503


def test_without_a_folder_there_are_none(tracker: Tracker) -> None:
    """Nothing is configured, so nothing is there."""
    assert tracker.get("/res/img/logo.png").status_code == 404


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    """It may come later, by hand or from a spare server."""
    spare = SpareServer(PNG)
    with (
        lending(spare),
        tracking(
            tmp_path, resource_directory=tmp_path / "var" / "res", spare_servers=(spare.url,)
        ) as tracker,
    ):
        assert tracker.get("/res/a/b.png").content == PNG
        assert (tmp_path / "var" / "res" / "a" / "b.png").read_bytes() == PNG
