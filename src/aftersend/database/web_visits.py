"""The delivery that web visits are put to which no message brought about.

It is never sent. Source: spec §4.6.
"""

from datetime import datetime

from sqlalchemy import Connection, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import content, delivery
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["ensure", "find"]


def find(connection: Connection, internal_name: str) -> DeliveryId | None:
    """Give the delivery of web visits; none: no visit needed it yet."""
    query = select(delivery.c.id).where(delivery.c.internal_name == internal_name)
    number: int | None = connection.execute(query).scalar_one_or_none()
    return None if number is None else DeliveryId(number)


def ensure(connection: Connection, internal_name: str, *, at: datetime) -> DeliveryId:
    """Give the delivery of web visits, and make it where it is missing.

    However many do this at once, there is one: its name is unique.
    """
    statement = insert_or(connection, delivery).on_conflict_do_nothing(
        index_elements=["internal_name"]
    )
    connection.execute(
        statement.values(
            internal_name=internal_name,
            label=DeliveryKind.WEB_VISITS.label,
            kind=DeliveryKind.WEB_VISITS,
            state=DeliveryState.FINISHED,
            sender="",
            subject="",
            created_at=at,
            modified_at=at,
        )
    )
    found = find(connection, internal_name)
    assert found is not None, "it was made where it was missing"
    # Whoever shows a delivery reads its content, though this one has nothing to say.
    empty = insert_or(connection, content).on_conflict_do_nothing(index_elements=["delivery_id"])
    connection.execute(empty.values(delivery_id=found))
    return found
