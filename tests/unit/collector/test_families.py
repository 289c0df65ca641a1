"""Both families of addresses: a server listens on either, and logs clients of both alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from aftersend.collector import embedded
from aftersend.collector.worker import listen
from aftersend.errors import Transient
from tests.support.tracking_server import SHOP, Tracker, spelled, tracking


def _has_newer_family() -> bool:
    try:
        listen("::1", 0).close()
    except Transient:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_newer_family(), reason="this machine has no IPv6")
CLICK = f"/r/{spelled(SHOP)}"


@contextmanager
def listening(
    monkeypatch: pytest.MonkeyPatch, directory: Path, host: str, **changes: Any
) -> Iterator[Tracker]:
    """Run a tracking server on a free port of a host."""
    monkeypatch.setattr(embedded, "listen", lambda *_: listen(host, 0))
    with tracking(directory, **changes) as tracker:
        yield tracker


def _click(tracker: Tracker, host: str, **headers: str) -> int:
    """Click by an address of this machine; give the status."""
    url = f"http://{host}:{tracker.url.rpartition(':')[2]}{CLICK}"
    return httpx.get(url, headers=headers).status_code


def test_a_client_of_the_newer_family_is_served_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without brackets and port, as a log line holds it."""
    with listening(monkeypatch, tmp_path, "::1") as tracker:
        assert _click(tracker, "[::1]") == 302
        assert [line.address for line in tracker.lines] == ["::1"]


def test_one_socket_may_serve_both_families(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of the older family is logged as itself, not in the clothes of the newer one."""
    with listening(monkeypatch, tmp_path, "::") as tracker:
        assert [_click(tracker, "127.0.0.1"), _click(tracker, "[::1]")] == [302, 302]
        assert [line.address for line in tracker.lines] == ["127.0.0.1", "::1"]


def test_proxies_of_both_families_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each names clients of either; of those, too, only what is on the list is passed over."""
    proxies = "127.0.0.0/8", "::1", "2001:db8:7::/48"
    with listening(monkeypatch, tmp_path, "::", trusted_proxies=proxies) as tracker:
        for host, forwarded in (
            ("127.0.0.1", "1.1.1.1, 2001:db8::9"),
            ("[::1]", "2001:db8::9, 203.0.113.9"),
            ("[::1]", "203.0.113.9, 2001:db8:7::5, 127.0.0.3"),
            ("[::1]", "::ffff:203.0.113.9"),
            ("[::1]", "fe80::1%eth0"),
        ):
            _click(tracker, host, **{"x-forwarded-for": forwarded})

        assert [line.address for line in tracker.lines] == [
            "2001:db8::9",
            "203.0.113.9",
            "203.0.113.9",
            "203.0.113.9",
            "::1",
        ]


def test_nobody_else_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a list, and for who is not on it, the header is ignored.

    Killed: loopback that is trusted untold.
    """
    for number, proxies in enumerate([(), ("127.0.0.1", "2001:db8::/32")]):
        folder = tmp_path / str(number)
        with listening(monkeypatch, folder, "::1", trusted_proxies=proxies) as tracker:
            _click(tracker, "[::1]", **{"x-forwarded-for": "2001:db8::9"})

            assert [line.address for line in tracker.lines] == ["::1"]
