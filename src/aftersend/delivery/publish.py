"""Telling tracking servers where the links of a delivery lead.

The local folder always gets the catalogue: a tracking server on this machine reads it there, even
one that starts later. Registered tracking servers get it over HTTP. One that could not take it is
remembered in ``sending/unpublished`` as a file ``<server>.<delivery>`` until it has, see `retry`.

Which links are blocked is always what the database says when a catalogue is brought out. A lock per
delivery, ``sending/<delivery>.publishing``, keeps one who read that earlier from coming later.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import httpx

from aftersend.content import Template
from aftersend.database import deliveries, tracking_servers, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.tracking_servers import TrackingServer
from aftersend.delivery.office import PostOffice
from aftersend.errors import Corruption, InvalidCatalogue
from aftersend.model.catalogue import Catalogue, decode, encode, file_name
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.files import make_directory, sync_directory, write_atomic

__all__ = ["Missed", "Publication", "amend", "expires_at", "introduce", "publish", "retry"]

_TIMEOUT_S: Final = 10.0
_UNPUBLISHED: Final = "unpublished"
_SILENT: Final = "it does not answer"


@dataclass(frozen=True, slots=True)
class Missed:
    """A tracking server that does not have a catalogue, and why."""

    server_id: ServerId
    delivery_id: DeliveryId
    reason: str


@dataclass(frozen=True, slots=True)
class Publication:
    """Which registered tracking servers have the catalogue now."""

    reached: Sequence[ServerId]
    missed: Sequence[Missed]

    @property
    def is_known(self) -> bool:
        """Tell whether links work: a server has the catalogue, or only the local one is used."""
        return bool(self.reached) or not self.missed


def publish(office: PostOffice, template: Template, delivery: Delivery) -> Publication:
    """Bring the catalogue of a delivery to every tracking server.

    Raises:
        OSError: the local folder cannot be written.
    """
    with _alone(office, delivery.id):
        catalogue = Catalogue(
            delivery_id=template.delivery_id,
            published_at=office.clock.now(),
            urls=template.urls,
        )
        return _hand_out(office, _lasting(catalogue, delivery))


def amend(office: PostOffice, delivery_id: DeliveryId) -> Publication:
    """Tell every tracking server anew how long the links of a delivery last, and which are blocked.

    The links themselves stay as they were when the messages were sent.

    Raises:
        Corruption: the catalogue that was published then is missing or damaged.
        OSError: the local folder cannot be written.
    """
    with _alone(office, delivery_id):
        # Only now: whoever amended before has read what was asked for before.
        with office.database.read() as connection:
            delivery = deliveries.get(connection, delivery_id)
        catalogue = replace(_published(office, delivery_id), published_at=office.clock.now())
        # A send that is just beginning has a contact date in the catalogue alone.
        is_begun = delivery.contact_at is not None
        return _hand_out(office, _lasting(catalogue, delivery) if is_begun else catalogue)


def expires_at(delivery: Delivery) -> datetime | None:
    """Tell when the links of a delivery expire; None: never, or nobody knows yet."""
    if not delivery.validity_s or delivery.contact_at is None:
        return None
    return delivery.contact_at + timedelta(seconds=delivery.validity_s)


def introduce(office: PostOffice, server_id: ServerId) -> Publication:
    """Bring all catalogues there are to a server that was registered just now.

    Raises:
        OSError: the local folder cannot be read.
    """
    for path in office.catalogue.glob("*.json"):
        if path.stem.isdigit():
            _remember(office, server_id, DeliveryId(int(path.stem)), is_missed=True)
    return retry(office)


def retry(office: PostOffice) -> Publication:
    """Bring catalogues to the servers that could not take them before.

    Raises:
        OSError: the local folder cannot be read.
    """
    directory = office.sending / _UNPUBLISHED
    if not directory.is_dir():
        return Publication((), ())
    with office.database.read() as connection:
        servers = {server.id: server for server in tracking_servers.every(connection)}
    waiting: defaultdict[DeliveryId, list[TrackingServer]] = defaultdict(list)
    for path in sorted(directory.iterdir()):
        server_id, _, number = path.name.partition(".")
        if not number.isdigit():
            continue  # half-written, under a name of its own
        server = servers.get(ServerId(server_id))
        if server is None or not (office.catalogue / file_name(DeliveryId(int(number)))).exists():
            path.unlink()  # the server or the delivery is gone
        else:
            waiting[DeliveryId(int(number))].append(server)
    with _Round.begun(office) as going:
        for delivery_id, missing in waiting.items():
            with _alone(office, delivery_id):
                data = (office.catalogue / file_name(delivery_id)).read_bytes()
                going.bring(missing, delivery_id, data)
    return Publication(going.reached, going.missed)


@dataclass(frozen=True, slots=True)
class _Round:
    """Going round tracking servers: who took what was brought, who did not, who is silent."""

    office: PostOffice
    client: httpx.Client
    reached: list[ServerId] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    silent: dict[ServerId, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def begun(cls, office: PostOffice) -> Iterator[Self]:
        headers = {"Authorization": f"Bearer {office.password}", "Content-Type": "application/json"}
        # Tracking servers are reached at internal addresses: never by way of a proxy.
        with httpx.Client(headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
            yield cls(office, client)

    def bring(
        self, servers: Sequence[TrackingServer], delivery_id: DeliveryId, data: bytes
    ) -> None:
        for server in servers:
            # A server that is down is not asked again for each delivery: that could take hours.
            reason = self.silent.get(server.id) or _put(
                self.client, f"{server.internal_url}/catalogue/{delivery_id}", data
            )
            if reason.startswith(_SILENT):
                self.silent[server.id] = reason
            _remember(self.office, server.id, delivery_id, is_missed=bool(reason))
            if reason:
                self.missed.append(Missed(server.id, delivery_id, reason))
            else:
                self.reached.append(server.id)


@contextmanager
def _alone(office: PostOffice, delivery_id: DeliveryId) -> Iterator[None]:
    """Wait until nobody else brings out the links of a delivery: what is newer never comes first.

    The kernel lets go when we end.
    """
    make_directory(office.sending)
    path = office.sending / f"{delivery_id}.publishing"
    descriptor = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Who held it before has taken the file away: then this lock is one on nothing.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def _published(office: PostOffice, delivery_id: DeliveryId) -> Catalogue:
    path = office.catalogue / file_name(delivery_id)
    try:
        return decode(path.read_bytes())
    except FileNotFoundError as error:
        raise Corruption(path, "the catalogue of a delivery that was sent is missing") from error
    except InvalidCatalogue as error:
        raise Corruption(path, str(error).rstrip(".")) from error


def _lasting(catalogue: Catalogue, delivery: Delivery) -> Catalogue:
    return replace(
        catalogue,
        expires_at=expires_at(delivery),
        substitution_url=delivery.substitution_url or None,
    )


def _hand_out(office: PostOffice, catalogue: Catalogue) -> Publication:
    with office.database.read() as connection:
        blocked = urls.blocked(connection, catalogue.delivery_id)
        servers = tracking_servers.every(connection)
    destinations = {
        number: replace(url, is_blocked=number in blocked) for number, url in catalogue.urls.items()
    }
    data = encode(replace(catalogue, urls=destinations))
    make_directory(office.catalogue)
    write_atomic(office.catalogue / file_name(catalogue.delivery_id), data)
    if not servers:
        return Publication((), ())
    with _Round.begun(office) as going:
        going.bring(servers, catalogue.delivery_id, data)
    return Publication(going.reached, going.missed)


def _put(client: httpx.Client, url: str, data: bytes) -> str:
    try:
        response = client.put(url, content=data)
    except httpx.HTTPError as error:
        return f"{_SILENT} ({error})"
    return "" if response.is_success else f"it answered {response.status_code}"


def _remember(
    office: PostOffice, server_id: ServerId, delivery_id: DeliveryId, *, is_missed: bool
) -> None:
    directory = office.sending / _UNPUBLISHED
    path = directory / f"{server_id}.{delivery_id}"
    if is_missed:
        make_directory(directory)
        write_atomic(path, b"")
    elif path.exists():
        path.unlink()
        sync_directory(directory)
