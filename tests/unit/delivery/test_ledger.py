"""The ledger of a send: what became of every message, known even if we are killed."""

from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.delivery.ledger import (
    ANSWER_NOT_SEEN,
    State,
    create,
    discard,
    locked,
    open_ledger,
)
from aftersend.delivery.refusal import Failure
from aftersend.errors import Busy, Corruption
from aftersend.model.enumeration import FailureReason, FailureType, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId
from tests.support.post_office import NOW

DELIVERY = DeliveryId(7)
IDS = [MessageId(number) for number in (11, 12, 13, 15)]
FULL = Failure(FailureReason.MAILBOX_FULL, FailureType.SOFT, "552 5.2.2 über quota")


def test_a_ledger_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """What every message came to is known to the next process, with its time and reason."""
    ledger = create(tmp_path, DELIVERY, IDS)
    ledger.accept(0, NOW)
    ledger.fail(1, FULL, NOW + timedelta(microseconds=1))
    ledger.states[2] = State.HANDED_OVER
    ledger.close()

    again = open_ledger(tmp_path, DELIVERY)
    again.give_up_on_answers()

    assert [3] == again.waiting()
    first, second, third = (again.outcome(place) for place in range(3))
    assert (IDS[0], MessageStatus.SENT, NOW, "") == (first.id, first.status, first.at, first.text)
    assert MessageStatus.FAILED is second.status
    assert (FULL.reason, FULL.type, FULL.text) == (second.reason, second.type, second.text)
    assert NOW + timedelta(microseconds=1) == second.at
    assert (MessageStatus.SENT, ANSWER_NOT_SEEN) == (third.status, third.text)
    again.close()


def test_a_ledger_has_its_documented_bytes(tmp_path: Path) -> None:
    """The layout is pinned: a send may be taken up by a later version."""
    ledger = create(tmp_path, DELIVERY, IDS[:2])
    ledger.accept(1, NOW)
    ledger.close()

    assert (
        bytes.fromhex(
            "41465453454e4431"
            "0700000000000000"
            "0200000000000000"
            "0000000000000000"
            "0b00000000000000"
            "0c00000000000000"
            "0000000000000000"
            "0056153b074c0600"
            "0002"
        )
        == (tmp_path / "7.ledger").read_bytes()
    )


def test_a_torn_answer_loses_only_its_words(tmp_path: Path) -> None:
    """An answer that was cut short leaves a failure without a reason, and no other is harmed."""
    ledger = create(tmp_path, DELIVERY, IDS)
    ledger.fail(0, FULL, NOW)
    ledger.fail(1, FULL, NOW)
    ledger.close()
    answers = tmp_path / "7.answers"
    answers.write_bytes(answers.read_bytes()[:-20])

    again = open_ledger(tmp_path, DELIVERY)

    assert FULL.text == again.outcome(0).text
    assert FailureReason.NOT_DEFINED is again.outcome(1).reason
    again.close()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "empty"),
        (b"AFTSEND1", "cut short"),
        (b"x" * 100, "not the ledger of delivery 7"),
        (None, "missing"),
    ],
)
def test_a_damaged_ledger_is_never_guessed_at(
    tmp_path: Path, damage: bytes | None, why: str
) -> None:
    """A ledger that is missing or is not one stops the send."""
    if damage is not None:
        (tmp_path / "7.ledger").write_bytes(damage)

    with pytest.raises(Corruption, match=why):
        open_ledger(tmp_path, DELIVERY)


def test_the_ledger_of_another_delivery_is_refused(tmp_path: Path) -> None:
    """A ledger says whose it is."""
    create(tmp_path, DELIVERY, IDS).close()
    (tmp_path / "7.ledger").rename(tmp_path / "8.ledger")

    with pytest.raises(Corruption, match="not the ledger of delivery 8"):
        open_ledger(tmp_path, DeliveryId(8))


def test_a_new_ledger_knows_nothing_of_an_older_one(tmp_path: Path) -> None:
    """Answers of a send that never came to be are not taken for those of the next."""
    old = create(tmp_path, DELIVERY, IDS)
    old.fail(0, FULL, NOW)
    old.close()

    new = create(tmp_path, DELIVERY, IDS)
    new.states[0] = State.FAILED

    assert FailureReason.NOT_DEFINED is new.outcome(0).reason
    new.sync()
    new.close()
    discard(tmp_path, DELIVERY)
    assert [] == list(tmp_path.iterdir())


def test_a_delivery_is_locked_once(tmp_path: Path) -> None:
    """Two sends of one delivery never run together, those of two deliveries do."""
    refused = pytest.raises(Busy, match="Delivery 7 is being sent at this moment")

    first, other = locked(tmp_path, DELIVERY), locked(tmp_path, DeliveryId(8))
    with first, other, refused, locked(tmp_path, DELIVERY):
        pass
    with locked(tmp_path, DELIVERY):
        pass
