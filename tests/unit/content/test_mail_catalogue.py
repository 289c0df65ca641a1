"""Catalogues of finished messages: merging, sharing a folder, and following their links."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.content.mail import in_folder, merge, track
from aftersend.errors import InvalidCatalogue, InvalidInput
from aftersend.model import catalogue
from aftersend.model.catalogue import Catalogue, Destination
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from tests.support import tracking_server
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS, MESSAGE_ID
from tests.support.own_mailer import SHOP, destinations, letter, make_tracker
from tests.support.post_office import html_of, text_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_catalogues_are_merged() -> None:
    """What was published stays: its links, when they expire, and where they lead then."""
    shop, other = (Destination((f"https://{name}.example/",)) for name in ("shop", "other"))
    made = Catalogue(
        DELIVERY_ID, NOW, {UrlId(5): shop}, expires_at=NOW, substitution_url="https://x.example/"
    )
    later = NOW.replace(year=2027)
    added = Catalogue(DELIVERY_ID, later, {UrlId(5): other, UrlId(6): other})

    merged = catalogue.decode(merge(catalogue.encode(made), catalogue.encode(added)))

    expected = replace(made, published_at=later, urls={UrlId(5): shop, UrlId(6): other})
    assert expected == merged


def test_catalogues_of_two_deliveries_are_not_merged() -> None:
    """The links of one would lead to those of the other."""
    one, two = (catalogue.encode(Catalogue(DeliveryId(n), NOW)) for n in (1, 2))

    with pytest.raises(InvalidInput, match="Delivery 1 cannot take the links of delivery 2"):
        merge(one, two)
    with pytest.raises(InvalidCatalogue):
        merge(b"{}", one)


def test_several_writers_share_a_folder(tmp_path: Path) -> None:
    """No link of anybody is lost, and each further step gets the whole catalogue."""
    handed_on: list[bytes] = []
    trackers = [
        make_tracker(in_folder(tmp_path / "new", lambda data, _id: handed_on.append(data)))
        for _ in range(4)
    ]

    def work(number: int) -> str:
        text = f"https://x{number}.example/"
        tracker = trackers[number % 4]
        return tracker.track(letter(text), message_id=MESSAGE_ID).untracked_reason

    with ThreadPoolExecutor(4) as threads:
        assert {""} == set(threads.map(work, range(40)))

    stored = (tmp_path / "new" / "7.json").read_bytes()
    expected = {f"https://x{number}.example/" for number in range(40)}
    assert expected == set(destinations(catalogue.decode(stored)).values())
    assert stored == handed_on[-1]
    assert list(range(1, 41)) == [len(json.loads(data)["urls"]) for data in handed_on]


def test_a_damaged_catalogue_is_not_overwritten(tmp_path: Path) -> None:
    """Links that people have in their hands may stand in it."""
    (tmp_path / "7.json").write_text("{")

    tracked = make_tracker(in_folder(tmp_path)).track(letter(), message_id=MESSAGE_ID)

    assert "is not JSON" in tracked.untracked_reason
    assert (tmp_path / "7.json").read_text() == "{"


def test_one_message_by_itself(tmp_path: Path) -> None:
    """The short form needs no tracker: in a folder its links join those of the delivery."""
    for number in (1, 2):
        sent = track(
            letter(f"https://x{number}.example"),
            delivery_id=DELIVERY_ID,
            message_id=MessageId(number),
            keys=KEYS,
            addresses=ADDRESSES,
            publish=in_folder(tmp_path),
        )
        assert sent.untracked_reason == ""

    stored = catalogue.decode((tmp_path / "7.json").read_bytes())
    assert {"https://x1.example", "https://x2.example"} == set(destinations(stored).values())


def test_the_links_work(tmp_path: Path) -> None:
    """A message whose catalogue was put to a tracking server leads people home."""
    html = f'<a href="{SHOP.replace("&", "&amp;")}">x</a>'
    with tracking_server.tracking(tmp_path) as server:

        def put(data: bytes, delivery_id: DeliveryId) -> None:
            server.admin("PUT", f"/catalogue/{delivery_id}", data).raise_for_status()

        tracker = make_tracker(put, keys=tracking_server.KEYS, delivery_id=DeliveryId(9))
        sent = tracker.track(letter(html=html), message_id=MESSAGE_ID).message
        paths = [
            word.partition('"')[0].removeprefix("https://t.example")
            for text in (text_of(sent), html_of(sent))
            for word in text.replace("https", " https").split()
            if word.startswith("https://t.example/")
        ]
        answers = [server.get(path) for path in paths]

    assert [302, 302, 200] == [answer.status_code for answer in answers]
    assert [SHOP, SHOP, None] == [answer.headers.get("Location") for answer in answers]
