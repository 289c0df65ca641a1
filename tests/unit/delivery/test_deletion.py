"""Deleting deliveries: hidden at once, restored as they were, and written down."""

import pytest
from sqlalchemy import update

from aftersend.database import audit, deliveries, delivery_list, figures, schema
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.deletion import delete, restore
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import Busy, InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId
from tests.support.post_office import NOW, add_recipients, delivery_of, draft


def shown(office: PostOffice) -> list[int]:
    """List the deliveries that lists, pages and reports of all deliveries show, if they agree."""
    with office.database.write() as connection:
        connection.execute(update(schema.delivery).values(contact_at=NOW))
    with office.database.read() as connection:
        listed = sorted(one.id for one in deliveries.listing(connection))
        pages = delivery_list.page(connection, delivery_list.Query())
        newest = figures.newest(connection, limit=None, offset=0, reactions=())
        contacted = figures.contacted(connection, since=None, until=None, reactions=())
        assert listed == sorted(row.id for row in pages)
        assert listed == sorted(one.id for one in newest)
        assert listed == sorted(one.id for one in contacted)
        assert len(listed) == deliveries.count(connection)
        assert len(listed) == delivery_list.count(connection, delivery_list.Query())
    return [int(number) for number in listed]


def test_a_deleted_delivery_is_hidden_until_it_is_restored(office: PostOffice) -> None:
    """No list shows it; restored it is as it was; both deeds are in the audit trail."""
    add_recipients(office, ["ada@example.com"])
    one, two = create(office, draft()), create(office, draft())
    assert [one, two] == shown(office)
    before = delivery_of(office, one)

    delete(office, one, operator="cli:ada")
    assert [two] == shown(office)

    restore(office, one, operator="bert")
    assert [one, two] == shown(office)
    assert before == delivery_of(office, one)
    with office.database.read() as connection:
        found = audit.entries(connection, entity="delivery", name=str(one))
    assert [("restore", "bert"), ("delete", "cli:ada")] == [
        (entry.action, entry.operator) for entry in found
    ]


def test_nothing_is_done_with_a_deleted_delivery(office: PostOffice) -> None:
    """It is neither changed nor analysed, and one is told how to bring it back."""
    number = create(office, draft())
    delete(office, number, operator="ada")

    for deed in (
        lambda: analyse(office, number),
        lambda: change_properties(office, number, Properties(label="x")),
    ):
        with pytest.raises(InvalidInput, match=f"delivery restore {number}"):
            deed()


def test_what_cannot_be_deleted(office: PostOffice) -> None:
    """What is being sent, what is deleted, what nobody made, and what is not there."""
    number = create(office, draft())

    with pytest.raises(InvalidInput, match="is not deleted"):
        restore(office, number, operator="ada")
    _set(office, number, state=DeliveryState.IN_PROGRESS)
    with pytest.raises(Busy, match="being sent"):
        delete(office, number, operator="ada")
    _set(office, number, state=DeliveryState.FINISHED, kind=DeliveryKind.WEB_VISITS)
    with pytest.raises(InvalidInput, match="web visits"):
        delete(office, number, operator="ada")
    _set(office, number, kind=DeliveryKind.MAIN)
    delete(office, number, operator="ada")
    with pytest.raises(InvalidInput, match="deleted already"):
        delete(office, number, operator="ada")
    with pytest.raises(NotFound):
        delete(office, DeliveryId(99), operator="ada")


def test_what_is_being_removed_is_not_restored(office: PostOffice) -> None:
    """Once the cleanup has begun with it, there is no way back."""
    number = create(office, draft())
    delete(office, number, operator="ada")
    clock = office.clock
    _set(office, number, messages_purged_at=clock.now().replace(year=2100))

    with pytest.raises(InvalidInput, match="cleanup has begun"):
        restore(office, number, operator="ada")


def _set(office: PostOffice, number: DeliveryId, **values: object) -> None:
    with office.database.write() as connection:
        connection.execute(update(schema.delivery).filter_by(id=number).values(**values))
