"""Sending a delivery: every recipient once, whatever happens to us on the way.

A send goes through these steps and can be taken up again after each of them::

    TARGET_READY ─► START_PENDING ─► ledger made ─► IN_PROGRESS ─► … ─► FINISHED ─► ledger gone

From IN_PROGRESS to FINISHED the ledger (see `ledger`, and `conversation` for how it is marked) is
the truth of who was sent; the database follows every second, so that people can watch. Sending a
delivery that stands in the middle folds the ledger into the database and goes on with those who
wait. Two sends of one delivery never run together: the kernel holds a lock for the process.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from aftersend.database import deliveries, messages
from aftersend.database.deliveries import Delivery
from aftersend.delivery import ledger as ledgers
from aftersend.delivery.analyse import analyse, stored
from aftersend.delivery.dispatch import Progress, Run, dispatch
from aftersend.delivery.ledger import Ledger, State
from aftersend.delivery.mail_server import MailServer, connect
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import has_other_links, make_press, template_of
from aftersend.delivery.press import Press
from aftersend.delivery.publish import publish
from aftersend.delivery.rules import EDITABLE, must_be_there
from aftersend.errors import Busy, InvalidInput, Transient
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["Sent", "send"]

_UNDER_WAY: Final = frozenset((DeliveryState.START_PENDING, DeliveryState.IN_PROGRESS))
_FOLD_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Sent:
    """How a delivery ended: recipients, seed addresses left out; `seconds` of this run.

    `was_finished` when there was nothing left to do.
    """

    sent: int
    failed: int
    seconds: float
    was_finished: bool = False


def send(
    office: PostOffice,
    server: MailServer,
    delivery_id: DeliveryId,
    *,
    on_progress: Progress = lambda _done, _total: None,
) -> Sent:
    """Send a delivery, or go on where sending it stopped; analyses it first if needed.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: its analysis finds an error, it is stopped or deleted, or the mail server
            refuses its sender.
        InvalidSettings: the mail server refuses our log-in.
        Busy: it is being sent at this moment.
        Transient: no tracking server knows its links, or the mail server takes no mail now;
            nobody is forgotten, send again.
        Corruption: its ledger is missing or damaged.
    """
    began = office.clock.monotonic()
    with ledgers.locked(office.sending, delivery_id):
        delivery = _get(office, delivery_id)
        must_be_there(delivery)
        if delivery.state is DeliveryState.FINISHED:
            ledgers.discard(office.sending, delivery_id)
            return Sent(delivery.success, delivery.error, 0.0, was_finished=True)
        if delivery.state in EDITABLE:
            delivery = _make_ready(office, delivery)
        elif delivery.state not in _UNDER_WAY:
            raise InvalidInput(f"Delivery {delivery_id} is {delivery.state.label.lower()}.")
        is_new = delivery.state is DeliveryState.TARGET_READY
        if is_new:
            delivery = replace(delivery, contact_at=office.clock.now())
        press = _prepare(office, delivery)
        if is_new:
            _begin(office, server, delivery)
        ledger = _open_ledger(office, delivery_id)
        try:
            run = Run(office, server, ledger, press, on_progress=on_progress)
            _carry_out(run)
        finally:
            ledger.close()
        delivery = _finish(office, delivery_id)
    return Sent(delivery.success, delivery.error, office.clock.monotonic() - began)


def _make_ready(office: PostOffice, delivery: Delivery) -> Delivery:
    with office.database.read() as connection:
        is_outdated = delivery.state is DeliveryState.BEING_EDITED or has_other_links(
            connection, office, delivery
        )
    found = analyse(office, delivery.id) if is_outdated else stored(office, delivery.id)
    if found.error is not None:
        raise InvalidInput(f"Delivery {delivery.id} cannot be sent: {found.error.text}")
    return _get(office, delivery.id)


def _prepare(office: PostOffice, delivery: Delivery) -> Press:
    """Compile the message and make sure that its links work before anybody gets one.

    The catalogue has the contact date, from which links expire, before the database does: a crash
    between the two leaves a delivery that nobody got and that begins anew, with a new date.
    """
    with office.database.read() as connection:
        template = template_of(connection, office, delivery)
        press = make_press(connection, office, delivery, template)
    publication = publish(office, template, delivery)
    if not publication.is_known:
        reasons = "; ".join(f"{each.server_id}: {each.reason}" for each in publication.missed)
        raise Transient(
            f"No tracking server knows the links of delivery {delivery.id} ({reasons}). Send it"
            " again when one answers."
        )
    return press


def _begin(office: PostOffice, server: MailServer, delivery: Delivery) -> None:
    """Leave the states in which a delivery may be changed, once a mail server answers."""
    asyncio.run(_greet(server))
    with office.database.write() as connection:
        has_moved = deliveries.move(
            connection,
            delivery.id,
            before=(DeliveryState.TARGET_READY,),
            after=DeliveryState.START_PENDING,
            contact_at=delivery.contact_at,
        )
    if not has_moved:
        raise Busy(f"Delivery {delivery.id} is being changed at this moment.")


async def _greet(server: MailServer) -> None:
    conversation = await connect(server)
    await conversation.close()


def _open_ledger(office: PostOffice, delivery_id: DeliveryId) -> Ledger:
    if _get(office, delivery_id).state is DeliveryState.IN_PROGRESS:
        ledger = ledgers.open_ledger(office.sending, delivery_id)
        ledger.give_up_on_answers()
        return ledger
    # Nothing is ever sent before IN_PROGRESS, so a ledger from before a crash may be replaced.
    with office.database.read() as connection:
        ids = messages.waiting(connection, delivery_id)
    ledger = ledgers.create(office.sending, delivery_id, ids)
    with office.database.write() as connection:
        deliveries.move(
            connection,
            delivery_id,
            before=(DeliveryState.START_PENDING,),
            after=DeliveryState.IN_PROGRESS,
        )
    return ledger


def _carry_out(run: Run) -> None:
    _fold(run.office, run.ledger)
    with run.office.database.read() as connection:
        counts = messages.counts(connection, run.press.delivery.id)
    run.success, run.error = counts.sent, counts.failed
    # Not uvloop: it may keep what was written until later.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(dispatch(run))


def _fold(office: PostOffice, ledger: Ledger) -> None:
    """Bring what an earlier process did into the database."""
    places = [place for place, state in enumerate(ledger.states) if state != State.WAITING]
    for start in range(0, len(places), _FOLD_ROWS):
        with office.database.write() as connection:
            outcomes = [ledger.outcome(place) for place in places[start : start + _FOLD_ROWS]]
            messages.store_outcomes(connection, outcomes)


def _finish(office: PostOffice, delivery_id: DeliveryId) -> Delivery:
    with office.database.write() as connection:
        counts = messages.counts(connection, delivery_id)
        assert counts.waiting == 0, "nobody waits when all is sent"
        deliveries.move(
            connection,
            delivery_id,
            before=(DeliveryState.IN_PROGRESS,),
            after=DeliveryState.FINISHED,
            success=counts.sent,
            error=counts.failed,
            ended_at=office.clock.now(),
        )
    ledgers.discard(office.sending, delivery_id)
    return _get(office, delivery_id)


def _get(office: PostOffice, delivery_id: DeliveryId) -> Delivery:
    with office.database.read() as connection:
        return deliveries.get(connection, delivery_id)
