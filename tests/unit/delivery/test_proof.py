"""Proofs: what a delivery will be, sent to those who check it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from aftersend.database.recipients import Profile
from aftersend.database.seeds import Seed
from aftersend.delivery import sink
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.proof import Proof, send_proof
from aftersend.delivery.properties import Properties
from aftersend.delivery.send import send
from aftersend.errors import InvalidInput, NotFound, Transient
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import DeliveryKind, DeliveryState, TrackingMode
from aftersend.model.ids import DeliveryId
from aftersend.model.token import decode as decode_token
from aftersend.reports.deliveries import summaries
from tests.support.post_office import (
    ADDRESSES,
    KEYS,
    add_recipients,
    delivery_of,
    draft,
    html_of,
    make_delivery,
    messages_of,
    read,
)
from tests.support.sending import PEOPLE
from tests.support.smtp_server import ScriptedServer, serving

TEAM = ("Bob@Shop.example", "eve@shop.example")
NOBODY = MailServer("127.0.0.1", 9)


class Mail(dict[str, bytes]):
    """Messages that arrived, by address."""


def prove(
    office: PostOffice, delivery_id: DeliveryId, addresses: Sequence[str] = TEAM
) -> tuple[Proof, Mail]:
    """Send a proof through a mail server."""
    mail = Mail()
    with sink.running(
        lambda received: mail.update(dict.fromkeys(received.recipients, received.data))
    ) as port:
        server = MailServer("127.0.0.1", port, connections=1, pause_s=0)
        return send_proof(office, server, delivery_id, addresses=addresses), mail


def add_draft(office: PostOffice, content: Draft) -> DeliveryId:
    """Make a delivery to one recipient."""
    add_recipients(office, ["ada@example.com"])
    return create(office, content)


def test_a_proof_says_what_it_is(office: PostOffice) -> None:
    """Subject and label tell the number; who checks it gets the message with somebody's fields."""
    delivery_id = make_delivery(office)

    proof, mail = prove(office, delivery_id)

    assert Proof(proof.delivery_id, 1, 2, 0, proof.seconds) == proof
    assert {"bob@shop.example", "eve@shop.example"} == mail.keys()
    message = read(mail["eve@shop.example"])
    assert "Proof #1 For Ada" == message["Subject"]
    assert "Hello Ada, " in html_of(message)
    made = delivery_of(office, proof.delivery_id)
    assert (DeliveryKind.PROOF, delivery_id, 1) == (made.kind, made.origin_id, made.proof_number)
    assert "[Proof 1] Lamps" == made.label
    assert DeliveryState.FINISHED is made.state


def test_proofs_are_numbered_for_each_delivery(office: PostOffice) -> None:
    """Every proof of a delivery has the next number; another delivery begins with 1."""
    first, second = make_delivery(office), make_delivery(office)

    numbers = [prove(office, each)[0].number for each in (first, first, second, first)]

    assert [1, 2, 1, 3] == numbers


def test_a_proof_is_counted_nowhere(office: PostOffice) -> None:
    """Its messages are to seed addresses: no figure of a delivery or a list has them."""
    delivery_id = make_delivery(office)

    proof, _ = prove(office, delivery_id)

    made = delivery_of(office, proof.delivery_id)
    assert (0, 0, 0) == (made.to_deliver, made.success, made.error)
    assert {True} == {each.is_seed for each in messages_of(office, proof.delivery_id).values()}
    listed = {row.label: row for row in summaries(office.database)}
    assert {"Lamps", "[Proof 1] Lamps"} == listed.keys()
    assert (0, 0) == (listed["[Proof 1] Lamps"].to_deliver, listed["[Proof 1] Lamps"].processed)


def test_the_delivery_itself_stays_as_it_is(office: PostOffice) -> None:
    """Neither its state nor its figures, messages or links change, and it can be sent then."""
    delivery_id = make_delivery(office, PEOPLE)
    analyse(office, delivery_id)
    before = (
        delivery_of(office, delivery_id),
        messages_of(office, delivery_id),
        list_urls(office, delivery_id),
    )

    prove(office, delivery_id)

    assert before == (
        delivery_of(office, delivery_id),
        messages_of(office, delivery_id),
        list_urls(office, delivery_id),
    )
    server = ScriptedServer()
    with serving(server):
        assert len(PEOPLE) == send(office, MailServer("127.0.0.1", server.port), delivery_id).sent


@pytest.mark.parametrize("is_analysed", [True, False])
def test_nobody_in_the_target_is_no_obstacle(office: PostOffice, is_analysed: bool) -> None:
    """A message may be looked at before there are recipients."""
    delivery_id = create(office, draft())
    if is_analysed:
        assert analyse(office, delivery_id).error is not None

    proof, mail = prove(office, delivery_id, ["eve@shop.example"])

    assert 1 == proof.sent
    assert "Hello , " in html_of(read(mail["eve@shop.example"]))


def test_the_choices_of_the_operator_are_copied(office: PostOffice) -> None:
    """Modes, labels and categories of links are those of the delivery."""
    html = "<a href='https://shop.example/lamps'>a</a> <a href='https://shop.example/b'>b</a>"
    delivery_id = add_draft(office, draft(html=html, text=None))
    lamps, other = list_urls(office, delivery_id)
    set_url(office, delivery_id, lamps.id, label="Our lamps", category="shop")
    set_url(office, delivery_id, other.id, mode=TrackingMode.NOT_TRACKED)

    proof, mail = prove(office, delivery_id)

    assert [
        ("https://shop.example/lamps", "Our lamps", "shop", TrackingMode.ENABLED),
        ("https://shop.example/b", "b", "", TrackingMode.NOT_TRACKED),
    ] == [
        (url.source, url.label, url.category, url.mode)
        for url in list_urls(office, proof.delivery_id)
    ]
    shown = html_of(read(mail["eve@shop.example"]))
    assert "href='https://shop.example/b'" in shown
    assert "https://shop.example/lamps" not in shown


def test_the_links_of_a_proof_work(office: PostOffice) -> None:
    """Tracking servers have a catalogue of the proof, and its tokens are in there."""
    delivery_id = make_delivery(office)

    proof, mail = prove(office, delivery_id)

    catalogue = decode((office.catalogue / file_name(proof.delivery_id)).read_bytes())
    found = re.search(
        rf"href='{re.escape(ADDRESSES.redirect)}/r/(\w+)'", html_of(read(mail["eve@shop.example"]))
    )
    assert found is not None
    token = decode_token(found[1], keys=KEYS)
    assert proof.delivery_id == token.delivery_id
    assert messages_of(office, proof.delivery_id)["eve@shop.example"].id == token.message_id
    assert ("https://shop.example/lamps",) == catalogue.urls[token.url_id].pieces


def test_properties_variables_and_formulas_are_copied(office: PostOffice) -> None:
    """What was chosen for the delivery holds for the proof; formulas can tell them apart."""
    text = (
        "<%@ value object='delivery' xpath=\"variables/var[@name='city']/@stringValue\" %>"
        " https://shop.example/lamps"
    )
    properties = Properties(
        variables={"city": "Genoa"},
        is_open_tracked=False,
        validity_s=90_000,
        click_formula="<% if (!delivery.FCP) { %><%= trackingUrl %><% } %>",
    )
    content = replace(draft(html=None, text=text), properties=properties)
    delivery_id = add_draft(office, content)

    proof, mail = prove(office, delivery_id)

    made = delivery_of(office, proof.delivery_id)
    assert (False, 90_000) == (made.is_open_tracked, made.validity_s)
    assert (
        "Genoa https://shop.example/lamps" == read(mail["eve@shop.example"]).get_content().strip()
    )


def test_fields_come_from_the_first_in_the_target(office: PostOffice) -> None:
    """What a seed address lacks is that of the recipient who stands first, analysed or not."""
    people = [
        Profile("zoe@example.com", {"first_name": "Zoe"}, {"city": "Turin"}),
        Profile("ada@example.com", {"first_name": "Ada"}, {"city": "Rome"}),
    ]
    _, ada = add_recipients(office, people)
    text = "<%= recipient.firstName %> of <%= recipient.city %>"
    delivery_id = create(office, draft(html=None, text=text, recipient_ids=[ada]))

    _, mail = prove(office, delivery_id)

    assert "Ada of Rome" == read(mail["eve@shop.example"]).get_content().strip()


def test_without_addresses_it_goes_to_the_seeds_of_the_delivery(office: PostOffice) -> None:
    """Addresses that are named replace the seed addresses of the delivery."""
    seeds = (Seed("sid@shop.example", "Sid"),)
    delivery_id = add_draft(office, replace(draft(), seeds=seeds))

    _, own = prove(office, delivery_id, [])
    _, named = prove(office, delivery_id, TEAM)

    assert ["sid@shop.example"] == list(own)
    assert "Hello Sid, " in html_of(read(own["sid@shop.example"]))
    assert {"bob@shop.example", "eve@shop.example"} == named.keys()


def test_an_address_that_is_named_twice_gets_one(office: PostOffice) -> None:
    """Spellings of one address are one address."""
    proof, mail = prove(office, make_delivery(office), ["eve@shop.example", " EVE@shop.example"])

    assert (1, ["eve@shop.example"]) == (proof.sent, list(mail))


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [
        ([], r"nobody to send the proof to: name addresses \(--to ADDRESS\)"),
        (["eve"], "The seed address 'eve' cannot be used: the address has no @"),
        (
            [f"p{number}@shop.example" for number in range(101)],
            "at most 100 addresses, not to 101",
        ),
    ],
)
def test_who_can_get_no_proof_is_told(
    office: PostOffice, addresses: list[str], problem: str
) -> None:
    """Nobody, nonsense and more people than check a message are refused; nothing is made."""
    delivery_id = make_delivery(office)

    with pytest.raises(InvalidInput, match=problem):
        send_proof(office, NOBODY, delivery_id, addresses=addresses)

    assert [delivery_id] == [row.id for row in summaries(office.database)]


def test_as_many_as_are_allowed_get_it(office: PostOffice) -> None:
    """The largest number of addresses is a setting, and reached."""
    small = replace(office, proof_size_max=2)
    delivery_id = make_delivery(small)

    assert 2 == prove(small, delivery_id)[0].sent
    with pytest.raises(InvalidInput, match="at most 2 addresses, not to 3"):
        prove(small, delivery_id, [*TEAM, "sid@shop.example"])


def _broken(office: PostOffice) -> DeliveryId:
    return add_draft(office, draft(html="<p>\n<%@ include view='Nothing' %></p>"))


def _failing(office: PostOffice) -> DeliveryId:
    return add_draft(office, draft(html="<p><%= recipient.city.name.first %></p>"))


@pytest.mark.parametrize(
    ("make", "problem"),
    [(_broken, "html line 2, column 1: "), (_failing, "cannot be written to anybody")],
)
def test_a_content_with_errors_makes_no_proof(
    office: PostOffice, make: Callable[[PostOffice], DeliveryId], problem: str
) -> None:
    """The place is named, and nothing is left behind."""
    delivery_id = make(office)

    with pytest.raises(InvalidInput, match=f"No proof of delivery {delivery_id} .*{problem}"):
        send_proof(office, NOBODY, delivery_id, addresses=TEAM)

    assert [delivery_id] == [row.id for row in summaries(office.database)]


def test_a_proof_that_nobody_got_leaves_its_number_to_the_next(office: PostOffice) -> None:
    """Without a mail server there is no proof; its ids are never used again all the same."""
    delivery_id = make_delivery(office)
    with pytest.raises(Transient):
        send_proof(office, NOBODY, delivery_id, addresses=TEAM)
    assert [delivery_id] == [row.id for row in summaries(office.database)]

    proof, _ = prove(office, delivery_id)

    assert 1 == proof.number
    assert delivery_id + 2 == proof.delivery_id


def test_a_proof_that_was_begun_stays_and_can_be_sent_on(office: PostOffice) -> None:
    """When the mail server gives up in the middle, the rest gets the proof later."""
    delivery_id = make_delivery(office)
    server = ScriptedServer(
        answer=lambda verb, _line: "421 Bye" if verb == "MAIL" and server.taken else None
    )
    with serving(server):
        to = MailServer("127.0.0.1", server.port, connections=1, pause_s=0)
        with pytest.raises(Transient):
            send_proof(office, to, delivery_id, addresses=TEAM)
    begun = next(row for row in summaries(office.database) if row.id != delivery_id)

    rest = ScriptedServer()
    with serving(rest):
        send(office, MailServer("127.0.0.1", rest.port, connections=1, pause_s=0), begun.id)

    assert (1, 1) == (len(server.taken), len(rest.taken))
    assert DeliveryState.FINISHED is delivery_of(office, begun.id).state


def test_who_refuses_a_proof_is_counted_for_the_sender(office: PostOffice) -> None:
    """The sender hears how many got it, though no figure does."""
    server = ScriptedServer(
        answer=lambda verb, line: "550 5.1.1 No" if verb == "RCPT" and "bob" in line else None
    )
    with serving(server):
        to = MailServer("127.0.0.1", server.port, connections=1, pause_s=0)
        proof = send_proof(office, to, make_delivery(office), addresses=TEAM)

    assert (1, 1) == (proof.sent, proof.failed)


def test_only_a_delivery_has_proofs(office: PostOffice) -> None:
    """A proof of a proof, and one of nothing, are refused."""
    delivery_id = make_delivery(office)
    proof, _ = prove(office, delivery_id)

    with pytest.raises(InvalidInput, match=f"is a proof of delivery {delivery_id}"):
        send_proof(office, NOBODY, proof.delivery_id, addresses=TEAM)
    with pytest.raises(NotFound, match="There is no delivery 99"):
        send_proof(office, NOBODY, DeliveryId(99), addresses=TEAM)


def test_a_long_label_is_cut(office: PostOffice) -> None:
    """The number stands in front, whatever the label."""
    delivery_id = add_draft(office, replace(draft(), label="x" * 255))

    proof, _ = prove(office, delivery_id)

    label = delivery_of(office, proof.delivery_id).label
    assert (255, "[Proof 1] xx") == (len(label), label[:12])
