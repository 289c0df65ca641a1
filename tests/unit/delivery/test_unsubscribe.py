"""Unsubscribing: whoever got a message and does not want another one."""

from dataclasses import replace

import pytest

from aftersend.database import recipients
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.unsubscribe import unsubscribe
from aftersend.errors import NotFound
from aftersend.model.ids import MessageId
from tests.support.post_office import add_recipients, draft, messages_of


def test_who_unsubscribes_is_never_contacted_again(office: PostOffice) -> None:
    """The recipient of the message is denylisted, once; saying it again is no error (F2)."""
    add_recipients(office, ["ada@x.example", "bob@x.example"])
    delivery_id = create(office, draft())
    analyse(office, delivery_id)
    message = messages_of(office, delivery_id)["ada@x.example"]

    answers = [unsubscribe(office.database, message.id, clock=office.clock) for _ in range(2)]

    assert [True, False] == answers
    with office.database.read() as connection:
        assert recipients.by_email(connection, "ada@x.example").is_denylisted
        assert not recipients.by_email(connection, "bob@x.example").is_denylisted
    assert {"denylisted": 1} == analyse(office, delivery_id).rejected


def test_a_seed_changes_nothing_by_unsubscribing(office: PostOffice) -> None:
    """A seed address may try the link: there is no recipient behind it."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, replace(draft(), seeds=(Seed("seed@x.example"),)))
    analyse(office, delivery_id)
    message = messages_of(office, delivery_id)["seed@x.example"]

    assert not unsubscribe(office.database, message.id, clock=office.clock)


def test_an_unknown_message_is_told(office: PostOffice) -> None:
    """Nobody is unsubscribed by a message that never was."""
    with pytest.raises(NotFound):
        unsubscribe(office.database, MessageId(99), clock=office.clock)
