"""Storing catalogues: whoever brings them, an old one never takes a new one's place."""

import fcntl
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.collector.publication import store, store_if_newer
from aftersend.errors import InvalidCatalogue
from aftersend.model import catalogue
from aftersend.model.ids import DeliveryId
from tests.support.tracking_server import DELIVERY, NOW, made_catalogue

OLD = catalogue.encode(made_catalogue())
NEW = catalogue.encode(made_catalogue(published_at=NOW + timedelta(seconds=1)))


def test_what_the_application_publishes_is_stored_as_it_is(tmp_path: Path) -> None:
    """It knows best, so an older one may follow a newer one."""
    for raw in (NEW, OLD):
        store(tmp_path, DELIVERY, raw)

        assert (tmp_path / "7.json").read_bytes() == raw


@pytest.mark.parametrize("raw", [b"", b"{}", OLD])
@pytest.mark.parametrize("kept", [store, store_if_newer])
def test_what_is_no_catalogue_of_the_delivery_is_refused(
    tmp_path: Path, raw: bytes, kept: object
) -> None:
    """Nothing is stored under another name."""
    assert callable(kept)
    with pytest.raises(InvalidCatalogue):
        kept(tmp_path, DeliveryId(8), raw)

    assert list(tmp_path.iterdir()) == []


def test_a_publication_that_comes_in_between_wins(tmp_path: Path) -> None:
    """Looking and storing are one step, also between processes.

    Killed: a catalogue that is compared with what was there before somebody published.
    """
    done: list[bool] = []
    lock = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as another process does while it publishes
    thread = threading.Thread(target=lambda: done.append(store_if_newer(tmp_path, DELIVERY, OLD)))
    thread.start()
    (tmp_path / "7.json").write_bytes(NEW)
    assert not done
    os.close(lock)
    thread.join()

    assert done == [False]
    assert (tmp_path / "7.json").read_bytes() == NEW
