"""What recipients choose themselves, whoever wrote to them."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from aftersend.database import deliveries, recipients, schema
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.preferences import Preferences, change_preferences, find_subscriber
from aftersend.errors import Gone, NotFound
from aftersend.model.enumeration import DeliveryKind, EmailFormat
from aftersend.model.ids import MessageId
from aftersend.platform.clock import ManualClock
from tests.support.post_office import NOW, SENDER, add_recipients, draft, messages_of

ADA, SUE = "ada@x.example", "sue@x.example"
TEXT = Preferences(is_text=True)


@pytest.fixture
def ids(office: PostOffice) -> dict[str, MessageId]:
    """Give the messages of a delivery to Ada and to the seed address of Sue."""
    add_recipients(office, [ADA])
    delivery_id = create(office, replace(draft(), seeds=(Seed(SUE),)))
    analyse(office, delivery_id)
    return {address: message.id for address, message in messages_of(office, delivery_id).items()}


def _ada(office: PostOffice) -> recipients.Recipient:
    with office.database.read() as connection:
        return recipients.by_email(connection, ADA)


def test_a_subscriber_is_who_got_the_message(office: PostOffice, ids: dict[str, MessageId]) -> None:
    """Address, sender and what was chosen so far are told; a seed address is a test."""
    with office.database.read() as connection:
        ada, sue = (find_subscriber(connection, ids[address]) for address in (ADA, SUE))

    assert (ADA, SENDER, False, Preferences()) == (
        ada.address, ada.sender, ada.is_test, ada.preferences,
    )  # fmt: skip
    assert (SUE, True) == (sue.address, sue.is_test)


@pytest.mark.parametrize(
    ("before", "is_text", "after"),
    [
        (EmailFormat.UNDEFINED, False, EmailFormat.UNDEFINED),
        (EmailFormat.UNDEFINED, True, EmailFormat.TEXT),
        (EmailFormat.TEXT, False, EmailFormat.HTML),
        (EmailFormat.TEXT, True, EmailFormat.TEXT),
        (EmailFormat.HTML, False, EmailFormat.HTML),
        (EmailFormat.HTML, True, EmailFormat.TEXT),
    ],
)
def test_a_format_is_kept_or_left_open(
    office: PostOffice,
    ids: dict[str, MessageId],
    before: EmailFormat,
    is_text: bool,
    after: EmailFormat,
) -> None:
    """Text is text; everything else stays what it was, and is HTML for who had chosen text."""
    with office.database.write() as connection:
        connection.execute(schema.recipient.update().values(format=before))
    chosen = Preferences(is_wanted=False, is_text=is_text)
    change_preferences(office.database, ids[ADA], chosen, clock=office.clock)

    assert (after, True) == (_ada(office).format, _ada(office).is_denylisted)


def test_the_same_choice_once_more_is_no_change(
    office: PostOffice, ids: dict[str, MessageId], clock: ManualClock
) -> None:
    """A recipient who saves twice was changed once."""
    for _ in range(2):
        change_preferences(office.database, ids[ADA], TEXT, clock=office.clock)
        clock.advance(60)

    assert (EmailFormat.TEXT, NOW) == (_ada(office).format, _ada(office).modified_at)


@pytest.mark.parametrize("reason", ["seed", "proof"])
def test_tests_keep_nothing(office: PostOffice, ids: dict[str, MessageId], reason: str) -> None:
    """What testers choose is shown back to them and kept nowhere."""
    before = _ada(office)
    if reason == "proof":
        with office.database.write() as connection:
            for delivery in deliveries.listing(connection):
                deliveries.change(connection, delivery.id, kind=DeliveryKind.PROOF)
    message_id = ids[SUE if reason == "seed" else ADA]
    found = change_preferences(office.database, message_id, TEXT, clock=office.clock)

    assert (True, TEXT) == (found.is_test, found.preferences)
    assert before == _ada(office)


def test_the_next_message_has_the_format_that_was_chosen(
    office: PostOffice, ids: dict[str, MessageId]
) -> None:
    """Who chose text gets the next delivery in text alone; who chose nothing is left out."""
    change_preferences(office.database, ids[ADA], TEXT, clock=office.clock)
    second = create(office, draft())
    analyse(office, second)
    assert messages_of(office, second)[ADA].is_text
    never = Preferences(is_wanted=False)
    change_preferences(office.database, ids[ADA], never, clock=office.clock)
    third = create(office, draft())

    assert {"denylisted": 1} == analyse(office, third).rejected


def test_who_is_gone_chooses_nothing(office: PostOffice, ids: dict[str, MessageId]) -> None:
    """A recipient who was deleted has no preferences, a message that never was no recipient."""
    with office.database.write() as connection:
        connection.execute(delete(schema.recipient))
        assert find_subscriber(connection, ids[ADA]).preferences is None

    with pytest.raises(Gone):
        change_preferences(office.database, ids[ADA], TEXT, clock=office.clock)
    with pytest.raises(NotFound):
        change_preferences(office.database, MessageId(999), TEXT, clock=office.clock)
