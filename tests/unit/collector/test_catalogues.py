"""Looking catalogues up: fresh enough, bounded, never an error."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aftersend.collector.catalogues import Catalogues, Known
from aftersend.collector.page import PRIVATE_HEADERS
from aftersend.model import catalogue
from aftersend.model.catalogue import Destination
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import ManualClock
from tests.support.tracking_server import (
    DELIVERY,
    MIRROR,
    NAMED,
    SHOP,
    configured,
    made_catalogue,
    publish,
)

Looked = list[str]


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still."""
    return ManualClock(datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Looked:
    """Collect the names of the files that the kernel is asked about."""
    names: Looked = []
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if str(path).endswith(".json"):
            names.append(Path(path).name)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    return names


def _known(tmp_path: Path, clock: ManualClock, *, capacity: int = 100) -> Catalogues:
    return Catalogues(configured(tmp_path).catalogue_directory, clock=clock, capacity=capacity)


def _place(known: Known) -> str:
    """Tell where the link to the shop leads."""
    return dict(known.links[SHOP].redirect or ())["location"]


def test_links_are_made_ready_once(tmp_path: Path, clock: ManualClock) -> None:
    """A destination without values is its whole answer; one with values is spelled each time."""
    publish(configured(tmp_path), made_catalogue())
    known = _known(tmp_path, clock).get(DELIVERY)

    assert known is not None
    assert known.links[SHOP].redirect == (
        ("location", "https://shop.example/?a=1&b=2#c"),
        *PRIVATE_HEADERS,
    )
    assert known.links[NAMED].redirect is None
    assert known.links[MIRROR].redirect is None


def test_a_file_is_asked_about_once_a_second(
    tmp_path: Path, clock: ManualClock, looked: Looked
) -> None:
    """A thousand clicks in a second cost one question."""
    publish(configured(tmp_path), made_catalogue())
    catalogues = _known(tmp_path, clock)
    for _ in range(5):
        catalogues.get(DELIVERY)
        clock.advance(0.25)

    assert looked == ["7.json", "7.json"]


def test_a_replaced_file_is_read_again(tmp_path: Path, clock: ManualClock) -> None:
    """Also when its size and time are the same: a replaced file is another file."""
    config = configured(tmp_path)
    publish(config, made_catalogue())
    catalogues = _known(tmp_path, clock)
    first = catalogues.get(DELIVERY)
    path = config.catalogue_directory / "7.json"
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"a=1", b"a=2"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)

    assert catalogues.get(DELIVERY) is first

    clock.advance(1)
    second = catalogues.get(DELIVERY)

    assert second is not None
    assert _place(second) == "https://shop.example/?a=2&b=2#c"


def test_a_published_catalogue_is_seen_at_once(tmp_path: Path, clock: ManualClock) -> None:
    """Who publishes through the server need not wait for the second."""
    config = configured(tmp_path)
    publish(config, made_catalogue())
    catalogues = _known(tmp_path, clock)
    catalogues.get(DELIVERY)
    publish(config, made_catalogue(urls={SHOP: Destination(("https://new.example/",))}))
    catalogues.recheck(DELIVERY)
    catalogues.recheck(DeliveryId(99))
    known = catalogues.get(DELIVERY)

    assert known is not None
    assert _place(known) == "https://new.example/"


def test_the_least_used_catalogue_leaves_memory(
    tmp_path: Path, clock: ManualClock, looked: Looked
) -> None:
    """Memory is bounded by deliveries; which stays is decided by use."""
    for delivery_id in (1, 2, 3):
        publish(configured(tmp_path), made_catalogue(delivery_id=DeliveryId(delivery_id)))
    catalogues = _known(tmp_path, clock, capacity=2)
    for delivery_id in (1, 2, 1, 3, 1, 2):
        assert catalogues.get(delivery_id) is not None

    assert looked == ["1.json", "2.json", "3.json", "2.json"]


def test_an_unknown_delivery_is_asked_about_once_a_second(
    tmp_path: Path, clock: ManualClock, looked: Looked
) -> None:
    """Who makes a number up asks the kernel nothing; a catalogue that comes later is seen."""
    catalogues = _known(tmp_path, clock)
    for _ in range(5):
        assert catalogues.get(DELIVERY) is None
        clock.advance(0.25)

    assert looked == ["7.json", "7.json"]

    publish(configured(tmp_path), made_catalogue())

    assert catalogues.get(DELIVERY) is None

    clock.advance(1)

    assert catalogues.get(DELIVERY) is not None


def test_an_unknown_delivery_that_is_published_is_seen_at_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Who publishes through the server need not wait for the second."""
    catalogues = _known(tmp_path, clock)
    catalogues.get(DELIVERY)
    publish(configured(tmp_path), made_catalogue())
    catalogues.recheck(DELIVERY)

    assert catalogues.get(DELIVERY) is not None


def test_unknown_deliveries_take_bounded_memory(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sprays numbers fills nothing."""
    monkeypatch.setattr("aftersend.collector.catalogues._ABSENT_MAX", 100)
    catalogues = _known(tmp_path, clock)
    for delivery_id in range(1000, 2000):
        assert catalogues.get(delivery_id) is None
        assert len(catalogues._absent) <= 100

    assert len(catalogues._entries) == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff" * 99])
def test_a_broken_file_is_told_once(
    tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str], raw: bytes
) -> None:
    """It is read again only when it changes."""
    config = configured(tmp_path)
    config.catalogue_directory.mkdir(parents=True)
    (config.catalogue_directory / "7.json").write_bytes(raw)
    catalogues = _known(tmp_path, clock)
    for _ in range(3):
        assert catalogues.get(DELIVERY) is None
        clock.advance(2)

    assert capsys.readouterr().out.count("a catalogue cannot be used") == 1


def test_a_file_of_another_delivery_is_not_used(tmp_path: Path, clock: ManualClock) -> None:
    """A file under a wrong name would send people to a wrong place."""
    config = configured(tmp_path)
    config.catalogue_directory.mkdir(parents=True)
    (config.catalogue_directory / "7.json").write_bytes(
        catalogue.encode(made_catalogue(delivery_id=DeliveryId(8)))
    )

    assert _known(tmp_path, clock).get(DELIVERY) is None


def test_the_last_usable_catalogue_serves_on(tmp_path: Path, clock: ManualClock) -> None:
    """When a file is spoilt, people still arrive; when it is taken away, they do not."""
    config = configured(tmp_path)
    publish(config, made_catalogue())
    catalogues = _known(tmp_path, clock)
    first = catalogues.get(DELIVERY)
    path = config.catalogue_directory / "7.json"
    path.write_bytes(b"{")
    clock.advance(2)

    assert catalogues.get(DELIVERY) is first

    path.unlink()
    clock.advance(2)

    assert catalogues.get(DELIVERY) is None
