"""Putting a catalogue where clicks find it, whoever brings it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aftersend.errors import InvalidCatalogue
from aftersend.model.catalogue import Catalogue, decode, file_name
from aftersend.model.ids import DeliveryId
from aftersend.platform import files

__all__ = ["store", "store_if_newer"]

_LOCK: Final = ".lock"


def store(directory: Path, delivery_id: DeliveryId, raw: bytes) -> None:
    """Store the catalogue of a delivery as the application published it.

    Raises:
        InvalidCatalogue: it does not follow the format, or is that of another delivery.
        OSError: the folder cannot be written.
    """
    _decoded(delivery_id, raw)
    with _alone(directory):
        files.write_atomic(directory / file_name(delivery_id), raw)


def store_if_newer(directory: Path, delivery_id: DeliveryId, raw: bytes) -> bool:
    """Store what another server has, unless it was published before what is here; tell whether.

    Raises:
        InvalidCatalogue: it does not follow the format, or is that of another delivery.
        OSError: the folder cannot be read or written.
    """
    brought = _decoded(delivery_id, raw)
    path = directory / file_name(delivery_id)
    with _alone(directory):
        try:
            own = _decoded(delivery_id, path.read_bytes())
        except (FileNotFoundError, InvalidCatalogue):
            pass  # nothing, or nothing that can be used
        else:
            if own.published_at >= brought.published_at:
                return False
        files.write_atomic(path, raw)
    return True


def _decoded(delivery_id: DeliveryId, raw: bytes) -> Catalogue:
    catalogue = decode(raw)
    if catalogue.delivery_id != delivery_id:
        raise InvalidCatalogue(f"it is that of delivery {catalogue.delivery_id}, not {delivery_id}")
    return catalogue


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep others on this machine from storing: an old one must not overwrite a new one."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
