"""From a stored content to a template: instructions once, choices of the instance and delivery."""

from dataclasses import replace

import pytest

from aftersend.content import Source, markup
from aftersend.database import blocks, deliveries, options
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import (
    expand_now,
    has_other_links,
    keep,
    preparation_of,
    source_of,
    template_of,
)
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import Busy, InvalidContent
from aftersend.model.enumeration import DeliveryKind, PixelPlace, Severity
from aftersend.model.ids import DeliveryId
from aftersend.settings import ContentSettings
from tests.support.post_office import (
    NOW,
    add_recipients,
    delivery_of,
    draft,
    html_of,
    make_delivery,
    read,
)
from tests.support.sending import send_to
from tests.support.smtp_server import ScriptedServer

FOOTER = "<p><%@ include view='Footer' %></p>"


def _put_block(office: PostOffice, source: str) -> None:
    with office.database.write() as connection:
        html = f"<a href='{source}'>footer</a>"
        blocks.put(connection, "Footer", html=html, text=source, at=NOW)


def _put_option(office: PostOffice, name: str, value: str) -> None:
    with office.database.write() as connection:
        options.put(connection, name, value)


def _source(office: PostOffice, delivery_id: DeliveryId) -> Source:
    with office.database.read() as connection:
        return source_of(connection, deliveries.get(connection, delivery_id))


def _sources(office: PostOffice, delivery_id: DeliveryId) -> list[str]:
    return [url.source for url in list_urls(office, delivery_id)]


def test_links_of_a_block_are_listed_with_the_making(office: PostOffice) -> None:
    """Instructions are carried out before links are looked for."""
    _put_block(office, "https://x.example/1")

    delivery_id = create(office, draft(html=FOOTER, text="<%@ include view='Footer' %>"))

    assert ["https://x.example/1", "https://x.example/1"] == _sources(office, delivery_id)


def test_what_was_analysed_is_what_is_sent(office: PostOffice) -> None:
    """A block that changes afterwards changes nothing before the next analysis."""
    add_recipients(office, ["ada@example.com"])
    _put_block(office, "https://x.example/1")
    delivery_id = create(office, draft(subject="<%@ include option='S' %>", html=FOOTER))
    _put_option(office, "S", "Summer")
    analyse(office, delivery_id)
    _put_block(office, "https://x.example/2")
    _put_option(office, "S", "Autumn")

    before = _source(office, delivery_id)
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        is_outdated = has_other_links(connection, office, delivery)
    analyse(office, delivery_id)
    after = _source(office, delivery_id)

    assert not is_outdated
    assert "Summer" == before.subject
    assert "<p><a href='https://x.example/1'>footer</a></p>" == before.html
    assert "Autumn" == after.subject
    assert "<p><a href='https://x.example/2'>footer</a></p>" == after.html
    assert "https://x.example/2" in _sources(office, delivery_id)


def test_a_content_without_instructions_is_kept_once(office: PostOffice) -> None:
    """What comes out as it went in is not stored a second time."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)

    with office.database.read() as connection:
        row = connection.exec_driver_sql(
            "SELECT expanded_subject, expanded_html, expanded_text FROM content"
        ).one()

    assert (None, None, None) == tuple(row)
    assert draft().html == _source(office, delivery_id).html


def test_another_content_forgets_what_the_old_one_gave(office: PostOffice) -> None:
    """The old result never hides the new content, not even one that cannot be carried out."""
    _put_block(office, "https://x.example/1")
    delivery_id = create(office, draft(html=FOOTER))

    broken = "<p><%@ include view='Nothing' %></p>"
    change_properties(office, delivery_id, Properties(html=broken))

    assert broken == _source(office, delivery_id).html
    analysis = analyse(office, delivery_id)
    assert analysis.error is not None
    assert "There is no block 'Nothing'" in analysis.error.text


def test_variables_stand_in_the_content(office: PostOffice) -> None:
    """A variable of the delivery, and its own label, are the same for everybody."""
    path = 'variables/var[@name="shop"]/@stringValue'
    text = (
        f"<%@ value object='delivery' xpath='{path}' %>,"
        " <%@ value object='delivery' xpath='@label' %>"
    )
    chosen = Properties(variables={"shop": "Pier 3"})

    delivery_id = create(office, replace(draft(html=None, text=text), properties=chosen))

    assert "Pier 3, Lamps" == _source(office, delivery_id).text


def test_a_content_that_changes_meanwhile_is_told(office: PostOffice) -> None:
    """What instructions gave for another content is not stored for this one."""
    delivery_id = create(office, draft())
    expansion = expand_now(office, delivery_id)
    change_properties(office, delivery_id, Properties(subject="Another"))

    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id)
        with pytest.raises(Busy, match="is being changed"):
            keep(connection, delivery, expansion)


def test_the_instance_and_the_delivery_decide_how_a_message_is_prepared(
    office: PostOffice,
) -> None:
    """Settings, options and properties arrive where the message is compiled."""
    settings = ContentSettings(delimiter_pairs=("<>",), script_seconds_max=1.5)
    office = replace(office, content=settings)
    _put_option(office, "NmsTracking_ClickFormula", "<%= trackingUrl %>?i")
    _put_option(office, "NmsTracking_OpenFormula", "<%= trackingUrl %>?o")
    own = "<%@ include option='NmsTracking_ClickFormula' %>&d"
    chosen = Properties(pixel=PixelPlace.TOP, click_formula=own)
    plain, special = create(office, draft()), create(office, replace(draft(), properties=chosen))

    with office.database.read() as connection:
        first = preparation_of(connection, office, deliveries.get(connection, plain))
        second = preparation_of(connection, office, deliveries.get(connection, special))

    assert ("<%= trackingUrl %>?i", "<%= trackingUrl %>?i&d") == (
        first.click_formula,
        second.click_formula,
    )
    assert "<%= trackingUrl %>?o" == first.open_formula == second.open_formula
    assert (PixelPlace.BOTTOM, PixelPlace.TOP) == (first.pixel, second.pixel)
    assert (("<>",), 1.5) == (first.pairs, first.seconds_max)
    known = {"id": plain, "internalName": f"DM{plain}", "label": "Lamps", "FCP": False}
    assert known.items() <= first.delivery.items()


@pytest.mark.parametrize(
    ("kind", "is_first"),
    [
        (DeliveryKind.MAIN, False),
        (DeliveryKind.PROOF, True),
        (DeliveryKind.TRACKING_TEST, True),
    ],
)
def test_formulas_know_a_proof(office: PostOffice, kind: DeliveryKind, is_first: bool) -> None:
    """`delivery.FCP` keeps what is only tried out away from analytics."""
    delivery_id = create(office, draft())
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, kind=kind)

    with office.database.read() as connection:
        known = preparation_of(connection, office, deliveries.get(connection, delivery_id))

    assert is_first is known.delivery["FCP"]


def test_a_formula_of_the_instance_that_is_none_stops_the_analysis(office: PostOffice) -> None:
    """The author is told which formula it is."""
    delivery_id = make_delivery(office)
    _put_option(office, "NmsTracking_ClickFormula", "<%@ include option='Nothing' %>")

    analysis = analyse(office, delivery_id)

    assert analysis.error is not None
    assert analysis.error.text.startswith("click formula")


def test_tracking_can_be_left_out_of_a_template(office: PostOffice) -> None:
    """Pages that show a message count nothing, whatever the delivery says."""
    delivery_id = create(office, draft())

    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        plain = template_of(connection, office, delivery, is_tracked=False)
        without_open = template_of(connection, office, delivery, is_open_tracked=False)

    assert {} == plain.urls
    assert {url.id for url in list_urls(office, delivery_id)} == without_open.urls.keys()


@pytest.mark.parametrize("kind", [DeliveryKind.PROOF, DeliveryKind.TRACKING_TEST])
def test_what_is_tried_out_may_go_to_seeds_alone(office: PostOffice, kind: DeliveryKind) -> None:
    """Nobody in the target stops a delivery, but not a proof that has seed addresses."""
    add_recipients(office, [])
    with_seed = create(office, replace(draft(), seeds=[Seed("seed@example.com")]))
    without = create(office, draft())

    def errors() -> list[list[str]]:
        found = [analyse(office, each).checks for each in (with_seed, without)]
        return [[each.rule for each in one if each.level is Severity.ERROR] for one in found]

    assert [["target"], ["target"]] == errors()
    with office.database.write() as connection:
        for each in (with_seed, without):
            deliveries.change(connection, each, kind=kind)
    assert [[], ["target"]] == errors()


def test_a_message_that_is_not_understood_is_sent_untracked(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent as it was; the reason is kept and warned of, until it can be read again."""
    delivery_id, other_id = make_delivery(office), make_delivery(office)
    server = ScriptedServer()

    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(markup, "tokenize", fail)
        analysis = analyse(office, delivery_id)
        analyse(office, other_id)
        send_to(server, office, delivery_id)
    reason = delivery_of(office, delivery_id).untracked_reason
    again = analyse(office, other_id)

    assert "RuntimeError" in reason
    assert analysis.error is None
    (warning,) = (check for check in analysis.checks if check.rule == "untracked")
    assert Severity.WARNING is warning.level
    assert reason in warning.text
    (taken,) = server.taken
    assert "<a href='https://shop.example/lamps'>look</a>" in html_of(read(taken.data))
    assert "" == delivery_of(office, other_id).untracked_reason
    assert "untracked" not in [check.rule for check in again.checks]


def test_an_instruction_that_fails_is_told_by_the_analysis(office: PostOffice) -> None:
    """The place in the author's text is named; making the delivery is no error."""
    delivery_id = make_delivery(office)
    change_properties(office, delivery_id, Properties(html="<p>\n<%@ include option='X' %></p>"))

    with pytest.raises(InvalidContent):
        expand_now(office, delivery_id)
    analysis = analyse(office, delivery_id)

    assert analysis.error is not None
    assert analysis.error.text.startswith("html line 2, column 1: ")
