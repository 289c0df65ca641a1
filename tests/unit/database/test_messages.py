"""Messages: the delivery log."""

from datetime import UTC, datetime, timedelta

import pytest

from aftersend.database import deliveries, messages, recipients
from aftersend.database.engine import Database
from aftersend.database.messages import Counts, NewMessage, Outcome
from aftersend.database.recipients import Profile
from aftersend.errors import NotFound
from aftersend.model.enumeration import FailureReason, FailureType, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId, RecipientId

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FIRST = DeliveryId(1)


@pytest.fixture
def waiting(lamps: Database) -> list[MessageId]:
    """Give three messages of the delivery: to Ada, to somebody who is gone, to a seed."""
    new = [
        NewMessage(RecipientId(1), "ada@x.example", "x.example", is_text=True),
        NewMessage(RecipientId(7), "gone@x.example", "x.example", is_text=False),
        NewMessage(RecipientId(0), "seed@x.example", "x.example", is_text=False, is_seed=True),
    ]
    with lamps.write() as connection:
        messages.add(connection, FIRST, new, at=NOW)
        messages.add(connection, FIRST, [], at=NOW)
        return messages.waiting(connection, FIRST)


def test_a_message_is_found_by_id_and_address(lamps: Database, waiting: list[MessageId]) -> None:
    """A message waits until its outcome is known."""
    with lamps.read() as connection:
        message = messages.by_id(connection, waiting[0])
        again = messages.of_address(connection, FIRST, " ADA@x.example")
        with pytest.raises(NotFound):
            messages.by_id(connection, MessageId(99))
        with pytest.raises(NotFound):
            messages.of_address(connection, FIRST, "eve@x.example")

    assert message == again
    assert (FIRST, 1, True, False) == (
        message.delivery_id,
        message.recipient_id,
        message.is_text,
        message.is_seed,
    )
    assert (MessageStatus.PENDING, NOW) == (message.status, message.event_at)


def test_rendering_knows_who_is_still_there(lamps: Database, waiting: list[MessageId]) -> None:
    """Addressees come in the order asked, with what is known of them at this moment."""
    with lamps.read() as connection:
        seed, gone, ada = messages.addressees(connection, waiting[::-1])
        first = messages.first_addressees(connection, FIRST, limit=5)

    assert (True, False, False) == (ada.is_known, gone.is_known, seed.is_known)
    assert ("Ada", True, False) == (ada.first_name, ada.is_text, ada.is_seed)
    assert seed.is_seed
    assert [ada, gone] == first


def test_outcomes_are_counted_without_seeds(lamps: Database, waiting: list[MessageId]) -> None:
    """Sent, failed and waiting messages are those to recipients."""
    later = NOW + timedelta(minutes=1)
    failed = Outcome(
        waiting[1],
        MessageStatus.FAILED,
        later,
        FailureType.HARD,
        FailureReason.USER_UNKNOWN,
        "550 5.1.1 Who?",
    )
    with lamps.write() as connection:
        before = messages.counts(connection, FIRST)
        messages.store_outcomes(
            connection, [failed, Outcome(waiting[2], MessageStatus.SENT, later)]
        )
        after = messages.counts(connection, FIRST)
        stored = messages.by_id(connection, waiting[1])
        left = messages.waiting(connection, FIRST)
        sent = messages.page(connection, FIRST, statuses=[MessageStatus.SENT])

    assert (Counts(0, 0, 2), Counts(0, 1, 1)) == (before, after)
    assert ("550 5.1.1 Who?", FailureReason.USER_UNKNOWN, FailureType.HARD, later) == (
        stored.failure_text,
        stored.failure_reason,
        stored.failure_type,
        stored.event_at,
    )
    assert [waiting[0]] == left
    assert [waiting[2]] == [each.id for each in sent]


def test_ids_of_forgotten_messages_are_not_used_again(
    lamps: Database, waiting: list[MessageId]
) -> None:
    """A link to a message that is gone can never count for another one."""
    with lamps.write() as connection:
        messages.forget(connection, FIRST)
        new = NewMessage(RecipientId(1), "ada@x.example", "x.example", is_text=False)
        messages.add(connection, FIRST, [new], at=NOW)

        assert waiting[-1] < messages.waiting(connection, FIRST)[0]


def test_a_target_is_read_in_batches(lamps: Database) -> None:
    """All recipients, or those that were named, come by id and in pieces."""
    with lamps.write() as connection:
        for start in range(0, 12_000, 4_000):
            profiles = [Profile(f"p{number}@x.example") for number in range(start, start + 4_000)]
            ids = recipients.upsert(connection, profiles, at=NOW).ids
        deliveries.add_targets(connection, FIRST, ids[:3])
        every = list(messages.candidates(connection, FIRST, is_target_all=True))
        named = list(messages.candidates(connection, FIRST, is_target_all=False))

    assert [10_000, 2_001] == [len(batch) for batch in every]
    assert [list(ids[:3])] == [[person.id for person in batch] for batch in named]
