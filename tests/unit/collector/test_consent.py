"""What visitors choose, and that nobody chooses for them."""

import re
from pathlib import Path

import httpx
import pytest

from aftersend.collector.page import PIXEL
from tests.support.tracking_server import SHOP, Tracker, spelled, tracking

PAGE = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}


def _set(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def test_the_script_is_served_from_memory(tracker: Tracker) -> None:
    """Pages of other hosts may run it, and keep it for a day; it knows how long a choice lasts."""
    answer = tracker.get("/r/consent.js")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert 'Number("15552000")' in answer.text
    assert "$(" not in answer.text


def test_what_is_allowed_is_kept(tracker: Tracker) -> None:
    """Scripts of the banner may read the cookie; the image tells that it was heard."""
    answer = tracker.get("/r/consent?choice=allow&at=1", **PAGE)

    assert (answer.status_code, answer.content) == (200, PIXEL)
    assert _set(answer) == ["acoptout=0; Max-Age=15552000; Path=/; SameSite=Lax"]
    assert answer.headers["cache-control"] == "no-store"
    assert tracker.lines == []


def test_who_forbids_is_forgotten(tracker: Tracker) -> None:
    """The cookies that recognise a browser are taken away with its choice."""
    gone = "Max-Age=0; Path=/; HttpOnly; SameSite=Lax"

    assert _set(tracker.get("/r/consent?choice=forbid", **PAGE)) == [
        "acoptout=1; Max-Age=15552000; Path=/; SameSite=Lax",
        f"nlid=; {gone}",
        f"uuid230=; {gone}",
        f"nllastdelid=; {gone}",
    ]


def test_cookies_of_a_domain_and_of_the_host_are_taken_away(tmp_path: Path) -> None:
    """Those from before there was a domain are ours, too."""
    with tracking(tmp_path, cookie_domains=(".shop.example",), consent_days=1) as tracker:
        cookies = _set(tracker.get("/r/consent?choice=forbid", host="t.shop.example"))

        assert cookies[0].endswith("; Domain=.shop.example")
        assert "Max-Age=86400" in cookies[0]
        assert len(cookies) == 7
        assert sum(each.endswith("; Domain=.shop.example") for each in cookies) == 4


@pytest.mark.parametrize(
    ("cookie", "choice"),
    [("", None), ("acoptout=0", "allow"), ("a=b; acoptout=1", "forbid"), ("acoptout=2", None)],
)
def test_a_choice_is_told_to_pages_that_bring_the_cookie(
    tracker: Tracker, cookie: str, choice: str | None
) -> None:
    """The browser hands the answer to the script of the site that asked, and to no other."""
    answer = tracker.get("/r/consent", cookie=cookie, origin="https://www.shop.example")

    assert answer.json() == {"choice": choice}
    assert answer.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "origin, cookie"


@pytest.mark.parametrize("origin", ["", "null", "*", "https://a b", "file:///x", "h" * 400])
def test_what_is_no_site_is_not_repeated(tracker: Tracker, origin: str) -> None:
    """Nothing of a request stands in an answer unless it is what it should be."""
    answer = tracker.get("/r/consent", origin=origin)

    assert "access-control-allow-origin" not in answer.headers


def test_refusal_wins_over_permission(tracker: Tracker) -> None:
    """Of two cookies with one name, as two scopes bring them, the safer one counts."""
    answer = tracker.get("/r/consent", cookie="acoptout=0; acoptout=1")

    assert answer.json() == {"choice": "forbid"}


@pytest.mark.parametrize(
    ("site", "mode", "same_site", "is_kept"),
    [
        ("same-origin", "no-cors", "lax", True),
        ("same-site", "navigate", "lax", True),
        ("none", "navigate", "lax", True),
        ("cross-site", "no-cors", "lax", False),
        ("cross-site", "navigate", "lax", False),
        ("cross-site", "no-cors", "none", True),
        ("cross-site", "navigate", "none", False),
    ],
)
def test_pages_of_others_allow_nothing_in_a_visitors_name(
    tmp_path: Path, site: str, mode: str, same_site: str, is_kept: bool
) -> None:
    """They may forbid, as a link of a privacy page does."""
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    with tracking(tmp_path, cookie_same_site=same_site) as tracker:
        allowed = tracker.get("/r/consent?choice=allow", **headers)

        assert allowed.status_code == (200 if is_kept else 403)
        assert bool(_set(allowed)) is is_kept
        assert _set(tracker.get("/r/consent?choice=forbid", **headers))


def test_machines_choose_nothing(tracker: Tracker) -> None:
    """HEAD is answered, and sets no cookie."""
    answer = tracker.client.head("/r/consent?choice=allow")

    assert answer.status_code == 200
    assert _set(answer) == []


@pytest.mark.parametrize(
    "path", ["/r/consent?choice=maybe", "/r/consent/", "/r/consents", "/r/consent.css"]
)
def test_other_addresses_are_not_found(tracker: Tracker, path: str) -> None:
    """There are two addresses."""
    assert tracker.get(path).status_code == 404


def test_who_forbade_is_not_recognised(tracker: Tracker) -> None:
    """A click arrives and has no source; a tag is answered and not recorded; no cookie is set."""
    choice = _set(tracker.get("/r/consent?choice=forbid", **PAGE))[0].partition(";")[0]
    click = tracker.get(f"/r/{spelled(SHOP)}", cookie=choice)
    tag = tracker.get("/r/1?tagid=home", cookie=f"{choice}; nlid={spelled(SHOP)}")

    assert (click.status_code, _set(click), _set(tag)) == (302, [], [])
    assert [(line.url_id, line.source_id) for line in tracker.lines] == [(SHOP, "")]


def test_what_the_script_offers_is_what_it_says(tracker: Tracker) -> None:
    """Every function that its head names is there."""
    text = tracker.get("/r/consent.js").text
    head, _, code = text.partition("*/")
    named = set(re.findall(r"(\w+)\(\)", head))

    assert {"allow", "forbid", "choice", "hasChosen", "show", "close"} < named
    assert {"hasUserPrefs", "getUserPrefs"} < named
    assert all(re.search(rf"^    {name}: ", code, re.MULTILINE) for name in named)
