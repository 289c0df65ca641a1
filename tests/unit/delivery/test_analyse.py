"""Analysing a delivery: who gets it, what is wrong with it, where its links lead."""

from dataclasses import replace
from time import perf_counter

import pytest
from sqlalchemy import update

from aftersend.database import deliveries, messages, recipients
from aftersend.database.recipients import BATCH_ROWS_MAX, Profile
from aftersend.database.schema import recipient
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import Analysis, analyse, stored
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import (
    DeliveryState,
    EmailFormat,
    FailureReason,
    MessageStatus,
    Severity,
    TrackingMode,
)
from aftersend.model.ids import OPEN_URL_ID, DeliveryId
from tests.support.post_office import add_recipients, draft, make_delivery, messages_of


def _rules(analysis: Analysis, level: Severity) -> list[str]:
    return [check.rule for check in analysis.checks if check.level is level]


def test_everybody_in_the_target_gets_a_message(office: PostOffice) -> None:
    """One message for each recipient waits to be sent, and the delivery is ready."""
    delivery_id = make_delivery(office, ["ada@x.example", "bob@y.example"])

    analysis = analyse(office, delivery_id)

    assert Analysis(2, {}, []) == analysis
    made = messages_of(office, delivery_id)
    assert {"ada@x.example", "bob@y.example"} == made.keys()
    assert {MessageStatus.PENDING} == {message.status for message in made.values()}
    assert "y.example" == made["bob@y.example"].domain
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
    assert DeliveryState.TARGET_READY is delivery.state
    assert (2, 0, 0) == (delivery.to_deliver, delivery.text_count, delivery.rejected)
    assert office.clock.now() == delivery.analysed_at


def test_who_must_not_get_it_is_left_out_with_the_reason(office: PostOffice) -> None:
    """Denylisted, missing, impossible and double addresses are excluded, each with its reason."""
    ids = add_recipients(office, ["ada@x.example", "bob@x.example", "c..d@x.example"])
    add_recipients(office, ["zoë@x.example", "eve@bücher.example", "eve@xn--bcher-kva.example"])
    (missing,) = add_recipients(office, ["gone@x.example"])
    with office.database.write() as connection:
        recipients.set_denylisted(connection, ids[1], at=office.clock.now())
        connection.execute(update(recipient).where(recipient.c.id == missing).values(email=""))
    delivery_id = create(office, draft())

    analysis = analyse(office, delivery_id)

    assert 3 == analysis.to_deliver
    assert {
        "address_not_specified": 1,
        "denylisted": 1,
        "double": 1,
        "bad_quality": 1,
    } == analysis.rejected
    with office.database.read() as connection:
        excluded = deliveries.exclusions(connection, delivery_id)
        delivery = deliveries.get(connection, delivery_id)
    assert {
        ("bob@x.example", FailureReason.DENYLISTED),
        ("c..d@x.example", FailureReason.BAD_QUALITY),
        ("eve@xn--bcher-kva.example", FailureReason.DOUBLE),
        ("", FailureReason.ADDRESS_NOT_SPECIFIED),
    } == {(each.address, each.reason) for each in excluded}
    assert 4 == delivery.rejected


def test_text_messages_are_counted(office: PostOffice) -> None:
    """Who wants text gets text if there is one; without HTML everybody does."""
    add_recipients(office, ["ada@x.example", "bob@x.example"], kind=EmailFormat.TEXT)
    add_recipients(office, ["eve@x.example"], kind=EmailFormat.HTML)

    counts = {}
    for name, content in {
        "both": draft(),
        "html": draft(text=None),
        "text": draft(html=None),
    }.items():
        delivery_id = create(office, content)
        analyse(office, delivery_id)
        with office.database.read() as connection:
            counts[name] = deliveries.get(connection, delivery_id).text_count

    assert {"both": 2, "html": 0, "text": 3} == counts


def test_seeds_get_a_message_and_are_not_counted(office: PostOffice) -> None:
    """A seed address gets a message marked as such, unless its owner gets one anyway."""
    add_recipients(office, ["ada@x.example"])
    seeds = (Seed("seed@y.example", "Sid"), Seed("Ada@x.example"))
    delivery_id = create(office, replace(draft(), seeds=seeds))

    analysis = analyse(office, delivery_id)

    made = messages_of(office, delivery_id)
    assert 1 == analysis.to_deliver
    assert {"ada@x.example": False, "seed@y.example": True} == {
        address: message.is_seed for address, message in made.items()
    }
    assert 0 == made["seed@y.example"].recipient_id


def test_analysing_again_replaces_what_was_found(office: PostOffice) -> None:
    """A second analysis sees who is there now; ids of messages are never used again."""
    delivery_id = make_delivery(office, ["ada@x.example", "bob@x.example"])
    analyse(office, delivery_id)
    before = messages_of(office, delivery_id)
    with office.database.write() as connection:
        recipients.set_denylisted(
            connection, before["bob@x.example"].recipient_id, at=office.clock.now()
        )

    analysis = analyse(office, delivery_id)

    after = messages_of(office, delivery_id)
    assert {"denylisted": 1} == analysis.rejected == stored(office, delivery_id).rejected
    assert ["ada@x.example"] == list(after)
    assert after["ada@x.example"].id > max(message.id for message in before.values())


@pytest.mark.parametrize(
    "state", [DeliveryState.START_PENDING, DeliveryState.IN_PROGRESS, DeliveryState.FINISHED]
)
def test_a_delivery_that_was_begun_is_frozen(office: PostOffice, state: DeliveryState) -> None:
    """Nobody analyses a delivery while or after it is sent."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=state)

    with pytest.raises(InvalidInput, match="cannot be analysed any more"):
        analyse(office, delivery_id)

    assert 1 == len(messages_of(office, delivery_id))


def test_an_unknown_delivery_is_not_analysed(office: PostOffice) -> None:
    """A delivery that is not there is told by its number."""
    with pytest.raises(NotFound, match="There is no delivery 99"):
        analyse(office, DeliveryId(99))


def test_a_content_that_cannot_be_prepared_stops_the_delivery(office: PostOffice) -> None:
    """The place that is wrong is named, the target still counted, and the state stays."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, draft(html="<p>\n<%@ include view='Nothing' %></p>"))

    analysis = analyse(office, delivery_id)

    assert analysis.error is not None
    assert "content" == analysis.error.rule
    assert analysis.error.text.startswith("html line 2, column 1: ")
    assert 1 == analysis.to_deliver
    with office.database.read() as connection:
        assert DeliveryState.BEING_EDITED is deliveries.get(connection, delivery_id).state


def test_a_delivery_for_nobody_is_stopped(office: PostOffice) -> None:
    """Without a recipient there is nothing to send."""
    analysis = analyse(office, create(office, draft()))

    assert ["target"] == _rules(analysis, Severity.ERROR)


def test_the_typology_names_what_is_missing(office: PostOffice) -> None:
    """Empty subjects are errors; missing labels, opt-outs and text parts are told."""
    add_recipients(office, ["ada@x.example"])
    html = "<a href='https://shop.example/'>look</a> <%= recipient.frist_name %>"
    delivery_id = create(office, draft(subject="", html=html, text=None))
    set_url(office, delivery_id, list_urls(office, delivery_id)[0].id, label="")

    analysis = analyse(office, delivery_id)

    assert ["subject"] == _rules(analysis, Severity.ERROR)
    assert ["url-label", "unsubscription-link", "personalisation"] == _rules(
        analysis, Severity.WARNING
    )
    assert ["text-part"] == _rules(analysis, Severity.INFO)
    assert any("recipient.frist_name" in check.text for check in analysis.checks)


def test_fields_of_the_sender_are_known(office: PostOffice) -> None:
    """A field that some recipient has, and those that all have, are not warned of."""
    add_recipients(office, [Profile("ada@x.example", fields={"city": "London"}), "bob@x.example"])
    text = "<%= recipient.city %><%= recipient.lastName %> <%@ include view='UnsubscriptionLink' %>"
    delivery_id = create(office, draft(html=None, text=text))

    assert [] == analyse(office, delivery_id).checks


def test_an_opt_out_link_of_the_authors_own_counts(office: PostOffice) -> None:
    """A link that was set to opt-out is the link to unsubscribe."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, draft(html="<a href='https://x.example/bye'>bye</a>", text=None))
    link = list_urls(office, delivery_id)[0]
    set_url(office, delivery_id, link.id, mode=TrackingMode.OPT_OUT)

    assert [] == _rules(analyse(office, delivery_id), Severity.WARNING)


def test_a_message_that_would_be_cut_is_told(office: PostOffice) -> None:
    """HTML of more than 102 KB is warned of."""
    add_recipients(office, ["ada@x.example"])
    html = f"<p>{'x' * 105_000}</p><%@ include view='UnsubscriptionLink' %>"

    analysis = analyse(office, create(office, draft(html=html)))

    assert ["size"] == _rules(analysis, Severity.WARNING)


def test_links_lead_somewhere_once_analysed(office: PostOffice) -> None:
    """The catalogue names the open and every tracked link: not those off in HTML, so in text."""
    delivery_id = make_delivery(office)
    links = list_urls(office, delivery_id)
    set_url(office, delivery_id, links[0].id, mode=TrackingMode.NOT_TRACKED)

    analyse(office, delivery_id)

    path = office.catalogue / file_name(delivery_id)
    assert {OPEN_URL_ID, links[1].id, links[3].id} == decode(path.read_bytes()).urls.keys()
    assert 0o644 == path.stat().st_mode & 0o777


@pytest.mark.long
def test_a_hundred_thousand_recipients_take_seconds(office: PostOffice) -> None:
    """A large target is analysed in bulk."""
    for start in range(0, 100_000, BATCH_ROWS_MAX):
        numbers = range(start, start + BATCH_ROWS_MAX)
        add_recipients(office, [Profile(f"p{number}@x.example") for number in numbers])
    delivery_id = create(office, draft())
    began = perf_counter()

    analysis = analyse(office, delivery_id)

    assert 100_000 == analysis.to_deliver
    assert perf_counter() - began < 60
    with office.database.read() as connection:
        assert 100_000 == messages.counts(connection, delivery_id).waiting
