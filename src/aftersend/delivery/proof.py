"""Proofs: a delivery as its recipients will get it, sent to those who check it.

A proof is a delivery of its own, so its links work and everything that happens to it can be seen,
but it goes to seed addresses alone and is counted nowhere. Seed addresses borrow the fields they
lack from the first recipient of the original.

A proof that cannot be sent at all leaves nothing behind, and the next one gets its number.

Source: spec §3.14.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aftersend.database import deliveries, messages, proofs, seeds
from aftersend.database.deliveries import Delivery
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.copy import copy_delivery, discard_unsent
from aftersend.delivery.create import seed_address
from aftersend.delivery.dispatch import Progress
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.rules import LABEL_LENGTH_MAX
from aftersend.delivery.send import send
from aftersend.delivery.typology.proof import too_many
from aftersend.errors import AftersendError, InvalidInput
from aftersend.model.enumeration import DeliveryKind, MessageStatus
from aftersend.model.ids import DeliveryId

__all__ = ["Proof", "send_proof"]

_ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was sent: the delivery it is, its number, and how its messages ended."""

    delivery_id: DeliveryId
    number: int
    sent: int
    failed: int
    seconds: float


def send_proof(
    office: PostOffice,
    server: MailServer,
    delivery_id: DeliveryId,
    *,
    addresses: Sequence[str] = (),
    on_progress: Progress = lambda _done, _total: None,
) -> Proof:
    """Send a proof of a delivery to some addresses, else to its own seed addresses.

    The delivery itself stays as it is, also when nobody is in its target yet.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: an address cannot be used, there is none or too many of them, the analysis
            finds an error in the content, or the delivery is a proof itself.
        InvalidSettings: the mail server refuses our log-in.
        Transient: no tracking server knows the links, or the mail server takes no mail now.
    """
    named = [Seed(email) for email in dict.fromkeys(seed_address(each) for each in addresses)]
    proof = _make(office, delivery_id, named)
    try:
        _check(office, proof, delivery_id)
        sent = send(office, server, proof.id, on_progress=on_progress)
    except AftersendError:
        discard_unsent(office, proof.id)
        raise
    with office.database.read() as connection:
        found = messages.page(connection, proof.id, limit=_ROWS_MAX)
    statuses = [message.status for message in found]
    return Proof(
        delivery_id=proof.id,
        number=proof.proof_number,
        sent=statuses.count(MessageStatus.SENT),
        failed=statuses.count(MessageStatus.FAILED),
        seconds=sent.seconds,
    )


def _make(office: PostOffice, delivery_id: DeliveryId, named: Sequence[Seed]) -> Delivery:
    with office.database.write() as connection:
        original = deliveries.get(connection, delivery_id, is_held=True)
        members = named or seeds.of_delivery(connection, delivery_id)
        _check_size(office, members)
        number = proofs.last_number(connection, delivery_id) + 1
        proof_id = copy_delivery(
            connection,
            office,
            original,
            kind=DeliveryKind.PROOF,
            label=f"[Proof {number}] {original.label}"[:LABEL_LENGTH_MAX],
            subject=f"Proof #{number} {original.subject}",
            seeds=members,
        )
        deliveries.change(connection, proof_id, proof_number=number)
        return deliveries.get(connection, proof_id)


def _check_size(office: PostOffice, members: Sequence[Seed]) -> None:
    if not members:
        raise InvalidInput(
            "There is nobody to send the proof to: name addresses (--to ADDRESS), or give the"
            " delivery seed addresses."
        )
    if len(members) > office.proof_size_max:
        raise InvalidInput(too_many(len(members), office.proof_size_max))


def _check(office: PostOffice, proof: Delivery, delivery_id: DeliveryId) -> None:
    error = analyse(office, proof.id).error
    if error is not None:
        raise InvalidInput(f"No proof of delivery {delivery_id} can be sent: {error.text}")
