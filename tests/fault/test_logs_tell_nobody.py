"""What a tracking server logs is about itself, never about people."""

import http.client
import json
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aftersend.collector.hit import Hits
from tests.support.lingering import Lingering, lingering
from tests.support.tracking_server import NAMED, PASSWORD, SHOP, spelled, tracking

ADDRESS, OTHER_ADDRESS = "203.0.113.77", "2001:db8:77::1"
PRIVATE = "ada-lovelace"
UUID = "e5155671-4ab7-4bd4-8b2c-0123456789ab"
SPELLED = {
    "a link that is known": spelled(NAMED, PRIVATE),
    "a link that is not": spelled(99, PRIVATE),
    "a delivery that is not": spelled(SHOP, PRIVATE, delivery_id=8),
    "a bad tag": spelled(NAMED, PRIVATE)[:-1] + "a",
}
HEADERS = {
    "User-Agent": f"Mozilla/5.0 ({PRIVATE})",
    "Cookie": f"uuid230={UUID}; nlid={PRIVATE}",
    "Referer": f"https://{PRIVATE}.example/",
    "X-Forwarded-For": f"{OTHER_ADDRESS}, {ADDRESS}",
}
PATHS = [
    *(f"/r/{text}" for text in SPELLED.values()),
    *(f"/r/{text}.gif?email={PRIVATE}" for text in SPELLED.values()),
    f"/r/{PRIVATE}",
    f"/r/%2525{PRIVATE}",
    f"/r/?id=h{PRIVATE},7,2",
    "/r/?id=h1f,7,2&p1=" + PRIVATE,
    f"/r/4567?tagid={PRIVATE}&rcpid=email%3D{PRIVATE}&amount={PRIVATE}",
    f"/{PRIVATE}",
    f"/res/{PRIVATE}",
    f"/res/%00{PRIVATE}",
    f"/logs?after={PRIVATE}",
    f"/logs?{PRIVATE}={PRIVATE}",
    f"/catalogue/{PRIVATE}",
    f"/registration?{PRIVATE}",
    f"/health?{PRIVATE}",
    f"/metrics?{PRIVATE}",
]
NOISE = [
    f"GET /r/{PRIVATE}\r\n\r\n".encode(),
    f"GET /r/{PRIVATE} HTTP/1.1\r\nHost: t\r\nUser-Agent: {PRIVATE}\xff\r\n\r\n".encode("latin-1"),
    f"GET /r/{PRIVATE} HTTP/1.1\r\nHost: t\r\nCookie: {PRIVATE}\xff\r\n\r\n".encode("latin-1"),
    f"GET /r/{PRIVATE}\xff HTTP/1.1\r\nHost: t\r\n\r\n".encode("latin-1"),
    f"{PRIVATE} /r/x HTTP/1.1\r\nHost: t\r\n\r\n".encode(),
    f"POST /r/{PRIVATE} HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{PRIVATE}".encode(),
]


def _ask_everything(server: Lingering, path: str) -> None:
    """Ask for a path by several methods, as a stranger and as the application."""
    body = json.dumps({"delivery": PRIVATE})
    for headers in (HEADERS, HEADERS | {"Authorization": f"Bearer {PASSWORD}"}):
        for method in ("GET", "HEAD", "PUT", "POST"):
            with closing(http.client.HTTPConnection("127.0.0.1", server.config.port)) as asking:
                asking.request(method, path, body if method[0] == "P" else None, headers)
                asking.getresponse().read()


@pytest.mark.heavy
def test_odd_traffic_leaves_no_trace_of_people_in_the_log(tmp_path: Path) -> None:
    """No addresses, programs, cookies, tokens, values or queries, and every line is JSON."""
    with lingering(
        tmp_path,
        has_legacy_links=True,
        trusted_proxies=("127.0.0.0/8",),
        source_hits_per_minute_max=2,
    ) as server:
        for path in PATHS:
            _ask_everything(server, path)
        for noise in NOISE:
            server.open(noise).close()
        status, logs = server.stop()

    events = [json.loads(line)["event"] for line in logs.splitlines()]
    assert status == 0
    assert {"listening", "a link of ours has no catalogue"} <= set(events)
    assert "a request failed" not in events
    secrets = [PRIVATE, ADDRESS, OTHER_ADDRESS, UUID, "Mozilla", PASSWORD, *SPELLED.values()]
    assert [secret for secret in secrets if secret.lower() in logs.lower()] == []


def test_a_bug_tells_its_place_and_not_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence of an error may quote the request, so only its kind and its way are told."""

    def break_down(*_: object) -> None:
        int(PRIVATE)

    monkeypatch.setattr(Hits, "_click", break_down)
    with (
        capture_logs() as logs,
        pytest.raises(ValueError, match=PRIVATE),
        tracking(tmp_path) as tracker,
    ):
        tracker.get(f"/r/{spelled(SHOP)}", **{"user-agent": PRIVATE})

    (log,) = logs
    assert (log["event"], log["error"]) == ("a request failed", "ValueError")
    assert log["where"][-1].startswith("test_logs_tell_nobody.py:")
    assert PRIVATE not in repr(logs)
