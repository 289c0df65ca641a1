"""Deleting a delivery: hidden at once, removed by the cleanup some days later, restored until then.

What was sent goes on working: links redirect for ever, since catalogues are never removed.
Source: spec §10.1 (deleted deliveries), §9.4.
"""

from aftersend.database import audit, deliveries
from aftersend.database.audit import AuditEntry
from aftersend.delivery.office import PostOffice
from aftersend.errors import Busy, InvalidInput
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["delete", "restore"]

_UNDER_WAY = frozenset(
    (
        DeliveryState.START_PENDING,
        DeliveryState.IN_PROGRESS,
        DeliveryState.RECOVERY_PENDING,
        DeliveryState.RECOVERY_IN_PROGRESS,
        DeliveryState.PAUSE_REQUESTED,
        DeliveryState.PAUSE_IN_PROGRESS,
    )
)


def delete(office: PostOffice, delivery_id: DeliveryId, *, operator: str) -> None:
    """Hide a delivery from lists and reports; the cleanup removes it later.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: it is deleted already, or nobody made it.
        Busy: it is being sent.
    """
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        if delivery.deleted_at is not None:
            raise InvalidInput(f"Delivery {delivery_id} is deleted already.")
        if delivery.kind is DeliveryKind.WEB_VISITS:
            raise InvalidInput(
                f"Delivery {delivery_id} holds the web visits of nobody's message: it stays."
            )
        if delivery.state in _UNDER_WAY:
            raise Busy(f"Delivery {delivery_id} is being sent: it can be deleted when it is over.")
        now = office.clock.now()
        deliveries.change(connection, delivery_id, deleted_at=now)
        audit.write(connection, AuditEntry(now, "delivery", str(delivery_id), "delete", operator))


def restore(office: PostOffice, delivery_id: DeliveryId, *, operator: str) -> None:
    """Show a deleted delivery again.

    Raises:
        NotFound: there is no such delivery, or the cleanup has removed it.
        InvalidInput: it is not deleted, or the cleanup has begun to remove it.
    """
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        if delivery.deleted_at is None:
            raise InvalidInput(f"Delivery {delivery_id} is not deleted.")
        purged_at = delivery.messages_purged_at
        if purged_at is not None and purged_at > delivery.deleted_at:
            raise InvalidInput(
                f"Delivery {delivery_id} cannot be restored: the cleanup has begun to remove it."
            )
        deliveries.change(connection, delivery_id, deleted_at=None)
        entry = AuditEntry(office.clock.now(), "delivery", str(delivery_id), "restore", operator)
        audit.write(connection, entry)
