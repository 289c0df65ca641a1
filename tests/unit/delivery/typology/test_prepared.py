"""What the rules are shown of a delivery, and what an analysis makes of it."""

from dataclasses import replace
from datetime import datetime

import pytest

from aftersend.database import deliveries, urls
from aftersend.database.deliveries import Check
from aftersend.database.recipients import Profile
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import template_of
from aftersend.delivery.properties import Properties
from aftersend.delivery.typology import Prepared, gather
from aftersend.model.enumeration import DeliveryKind, DeliveryState, Severity, TrackingMode
from aftersend.model.ids import DeliveryId
from tests.support.post_office import NOW, add_recipients, draft

CITY = "<p><%= recipient.city.toUpperCase() %></p>"


class HastyClock:
    """A clock on which every look takes six seconds."""

    def __init__(self) -> None:
        self.looks = 0

    def now(self) -> datetime:
        """Stand still."""
        return NOW

    def monotonic(self) -> float:
        """Go on."""
        self.looks += 1
        return 6.0 * self.looks


def shown(office: PostOffice, delivery_id: DeliveryId) -> Prepared:
    """Give what the rules see of a delivery that was analysed."""
    analyse(office, delivery_id)
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        template = template_of(connection, office, delivery)
        return gather(connection, office, delivery, template)


def found(office: PostOffice, content: Draft, rule: str) -> list[Check]:
    """Analyse a delivery and give what one rule found."""
    analysis = analyse(office, create(office, content))
    return [check for check in analysis.checks if check.rule == rule]


def test_links_are_shown_with_their_words_and_modes(office: PostOffice) -> None:
    """The text is what people read, whatever the label; a mode is what the operator chose."""
    html = "<a href='https://x.example/a' _label='Our A'><b>See</b> A</a> <a href='http://b.example'>B</a>"
    delivery_id = create(office, draft(html=html, text=None))
    first, second = list_urls(office, delivery_id)
    set_url(office, delivery_id, second.id, mode=TrackingMode.NOT_TRACKED)

    links = shown(office, delivery_id).links

    assert [("Our A", "See A", True), ("B", "B", False)] == [
        (link.url.label, link.text, link.is_tracked) for link in links
    ]
    assert first.id == links[0].url.id


def test_links_of_an_untracked_delivery_are_not_tracked(office: PostOffice) -> None:
    """The switch of the delivery is stronger than the mode of a link."""
    content = replace(draft(), properties=Properties(is_tracked=False))

    assert {False} == {link.is_tracked for link in shown(office, create(office, content)).links}


def test_fields_are_those_that_somebody_has_filled(office: PostOffice) -> None:
    """A column that is empty for everybody is as good as none."""
    people = [
        Profile("ada@x.example", {"first_name": "Ada"}, {"city": "", "shoe": "38"}),
        Profile("bob@x.example", {"first_name": ""}, {"city": ""}),
    ]
    add_recipients(office, people)

    fields = shown(office, create(office, draft())).fields

    assert fields is not None
    assert {"shoe", "first_name", "email"} <= fields
    assert not {"city", "last_name"} & fields


def test_without_recipients_the_seeds_are_looked_at(office: PostOffice) -> None:
    """What is tried out with seed addresses is written to them on trial; without any, to nobody."""
    content = replace(draft(), seeds=(Seed("sid@x.example", "Sid"),))

    prepared = shown(office, create(office, content))
    nobody = shown(office, create(office, draft()))

    assert ["sid@x.example"] == [each.address for each in prepared.renderings]
    assert prepared.fields is not None
    assert "first_name" in prepared.fields
    assert (1, 0) == (prepared.seed_count, nobody.seed_count)
    assert ((), None) == (nobody.renderings, nobody.fields)


def test_the_size_is_that_of_the_message_as_it_is_sent(office: PostOffice) -> None:
    """Bytes of the HTML are counted with values and tracking links."""
    add_recipients(office, [Profile("ada@x.example", {"first_name": "Äda"}, {})])
    content = draft(html="<p>Hi <%= recipient.first_name %></p>", text=None)

    (rendering,) = shown(
        office, create(office, replace(content, properties=Properties(is_open_tracked=False)))
    ).renderings

    assert len("<p>Hi Äda</p>".encode()) == rendering.html_bytes


def test_a_hundred_people_are_written_to_on_trial(office: PostOffice) -> None:
    """More would take long and tell little."""
    add_recipients(office, [f"p{number}@x.example" for number in range(103)])

    assert 100 == len(shown(office, create(office, draft())).renderings)


def test_trials_take_ten_seconds_at_most(office: PostOffice) -> None:
    """Slow scripts do not keep others from the database."""
    add_recipients(office, [f"p{number}@x.example" for number in range(9)])

    prepared = shown(replace(office, clock=HastyClock()), create(office, draft()))

    assert 2 == len(prepared.renderings)


def test_a_script_that_fails_for_some_is_a_warning(office: PostOffice) -> None:
    """Those people would not get the message; the others would."""
    add_recipients(office, [Profile("ada@x.example", {}, {"city": "Rome"}), "bob@x.example"])

    (check,) = found(office, draft(html=CITY, text=None), "rendering")

    assert Severity.WARNING is check.level
    assert "to 1 of the first 2 people" in check.text
    assert "bob@x.example: " in check.text


def test_a_script_that_fails_for_all_stops_the_delivery(office: PostOffice) -> None:
    """Nobody would get it, so it is not sent; the settings may see that otherwise."""
    add_recipients(office, ["ada@x.example", "bob@x.example"])
    bold = replace(office, checks={"rendering-all": "warning"})

    (check,) = found(office, draft(html=CITY, text=None), "rendering-all")
    (milder,) = found(bold, draft(html=CITY, text=None), "rendering-all")

    assert (Severity.ERROR, Severity.WARNING) == (check.level, milder.level)
    assert "html line 1, column 8" in check.text


def test_levels_of_the_instance_decide_about_the_send(office: PostOffice) -> None:
    """A warning that was made an error keeps the delivery from being ready."""
    add_recipients(office, ["ada@x.example"])
    strict = replace(office, checks={"text-part": "error"})
    delivery_id = create(strict, draft(text=None))

    analysis = analyse(strict, delivery_id)

    assert analysis.error is not None
    assert "text-part" == analysis.error.rule
    with office.database.read() as connection:
        assert DeliveryState.BEING_EDITED is deliveries.get(connection, delivery_id).state


@pytest.mark.parametrize(
    ("kind", "is_told"), [(DeliveryKind.PROOF, True), (DeliveryKind.MAIN, False)]
)
def test_the_size_of_a_proof_is_a_setting(
    office: PostOffice, kind: DeliveryKind, is_told: bool
) -> None:
    """An analysis of a proof counts its addresses, too."""
    small = replace(office, proof_size_max=1)
    content = replace(draft(), seeds=(Seed("sid@x.example"), Seed("eve@x.example")))
    delivery_id = create(small, content)
    with small.database.write() as connection:
        deliveries.change(connection, delivery_id, kind=kind)

    rules = {check.rule for check in analyse(small, delivery_id).checks}

    assert is_told == ("proof-size" in rules)


def test_a_link_that_was_switched_off_by_the_operator_is_quiet(office: PostOffice) -> None:
    """The way out that a warning tells of ends the warning."""
    add_recipients(office, ["ada@x.example"])
    html = "<a href='https://x.example/password'>https://x.example/password</a>"
    delivery_id = create(office, draft(html=html, text=None))
    before = {check.rule for check in analyse(office, delivery_id).checks}
    with office.database.read() as connection:
        (url,) = urls.of_delivery(connection, delivery_id)

    set_url(office, delivery_id, url.id, mode=TrackingMode.NOT_TRACKED)
    after = {check.rule for check in analyse(office, delivery_id).checks}

    assert {"sensitive-link", "phishing"} == before - after
