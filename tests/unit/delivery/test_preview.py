"""A message as one recipient will see it, with links that lead nowhere."""

import re
from dataclasses import replace

import pytest

from aftersend.database import deliveries
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.preview import (
    advice,
    anchor,
    draw_html,
    draw_text,
    find_person,
    preview,
    problem,
)
from aftersend.errors import InvalidContent, NotFound
from aftersend.model.enumeration import DeliveryState, Part, TrackingMode
from aftersend.model.ids import DeliveryId
from tests.support.post_office import SENDER, add_recipients

SHOP = "https://shop.example/lamps?a=1&b=2"
HTML = """<!doctype html><base href="https://base.example/">
<link rel="prefetch" href="https://out.example/"><form action="https://out.example/">
<p>Hello <%= recipient.first_name %></p>
<a class="x" href="https://shop.example/lamps?a=1&amp;b=2" name="own">Double</a>
<a href='https://shop.example/single'>Single</a> <a href=https://shop.example/bare>Bare</a>
<a title=">" href="mailto:a@x.example">Mail</a> <A HREF="tel:+491">Call</A>
<map><area href="https://shop.example/area"></map>
<%@ include view='MirrorPage' %> <%@ include view='UnsubscriptionLink' %>"""
TEXT = "Hello <%= recipient.first_name %>, look at <https://shop.example/lamps?a=1&b=2>"


def make(office: PostOffice, html: str | None = HTML, text: str | None = TEXT) -> DeliveryId:
    """Make a delivery to two people and a seed address, which is not analysed."""
    add_recipients(office, ["ada@x.example", "bob@x.example"])
    seeds = [Seed("seed@x.example", "Sam")]
    subject = "For <%= recipient.first_name %>"
    return create(office, Draft("Lamps", SENDER, subject, html, text, seeds=seeds))


def drawn(
    office: PostOffice, number: DeliveryId, who: str = "", *, is_loading: bool = False
) -> str:
    """Draw the HTML for somebody."""
    somebody = find_person(office, number, who).addressee
    return draw_html(office, number, somebody, is_loading=is_loading)


def test_the_first_of_the_target_is_shown(office: PostOffice) -> None:
    """Nobody is named: it is the first message, or before the analysis the first recipient."""
    number = make(office)
    before = find_person(office, number)
    analyse(office, number)
    after = find_person(office, number)

    assert (before.addressee.address, before.is_in_target) == ("ada@x.example", True)
    assert (after.addressee.address, after.is_in_target) == ("ada@x.example", True)
    assert 0 == before.addressee.id < after.addressee.id


def test_a_part_of_an_address_finds_people(office: PostOffice) -> None:
    """One match is taken, several are offered, none is nobody; seed addresses are found, too."""
    number = make(office)
    add_recipients(office, ["zoe@y.example"])
    analyse(office, number)

    assert "bob@x.example" == find_person(office, number, "bo").addressee.address
    assert "bob@x.example" == find_person(office, number, " BOB@x.example ").addressee.address
    assert ("ada@x.example", "bob@x.example", "seed@x.example") == find_person(
        office, number, "@x."
    ).matches
    assert "" == find_person(office, number, "nobody").addressee.address
    assert "Hello Sam" in drawn(office, number, "seed@x.example")


def test_who_is_not_in_the_target_can_be_looked_at(office: PostOffice) -> None:
    """A recipient who gets no message is shown all the same, and marked."""
    first, *_ = add_recipients(office, ["ada@x.example", "bob@x.example"])
    number = create(office, Draft("Lamps", SENDER, "Hi", HTML, recipient_ids=[first]))

    assert "ada@x.example" == find_person(office, number).addressee.address
    other = find_person(office, number, "bob@x.example")
    assert ("bob@x.example", False) == (other.addressee.address, other.is_in_target)
    assert "Hello Bob" in drawn(office, number, "bob@x.example")


def test_subject_and_text_are_as_the_author_wrote_them(office: PostOffice) -> None:
    """Values are those of the recipient, and links lead where the author wrote."""
    number = make(office)
    shown = preview(office, number, find_person(office, number, "bob").addressee)

    assert "For Bob" == shown.subject
    assert f"Hello Bob, look at <{SHOP}>" == shown.text
    assert shown.has_html


@pytest.mark.parametrize("is_analysed", [False, True])
def test_no_link_of_the_html_leads_anywhere(office: PostOffice, is_analysed: bool) -> None:
    """All addresses to follow are names on the same page, however they were quoted."""
    number = make(office)
    if is_analysed:
        analyse(office, number)
    html = drawn(office, number)
    followed = re.findall(r"(?i)<(?:a|area|link|form)\b[^<]*?\s(?:href|action)=([^\s>]+)", html)
    ids = {url.source: url.id for url in list_urls(office, number) if url.part is Part.HTML}

    assert 6 == len(followed)
    assert all(each.strip("\"'").startswith("#") for each in followed)
    assert f'href="#{anchor(ids[SHOP])}" name="{anchor(ids[SHOP])}"' in html
    assert f"href='#{anchor(ids['https://shop.example/single'])}' name=" in html
    assert f"href=#{anchor(ids['https://shop.example/bare'])}>" in html
    assert 'title="https://shop.example/lamps?a=1&amp;b=2"' in html
    assert 'data-href="mailto:a@x.example"' in html
    assert 'data-HREF="tel:+491"' in html
    assert "t.example.com" not in html


@pytest.mark.parametrize(
    "tag",
    [
        '<a\n  data-x="a > b"\n  HREF = "mailto:a">',
        "<a/href='tel:1'>",
        '<svg><a xlink:href="javascript:0">',
        '<area alt="" href=relative>',
        '<form method=get action="/deliveries">',
    ],
)
def test_other_ways_out_are_closed(office: PostOffice, tag: str) -> None:
    """Whatever is not a link of ours loses the attribute that leads somewhere."""
    html = drawn(office, make(office, f"<p>Hi</p>{tag}"))

    assert re.search(r"data-(xlink:)?(href|action)\b", html, re.IGNORECASE)
    assert not re.search(r"[\s/](xlink:)?(href|action)\s*=", html, re.IGNORECASE)


def test_quotes_that_are_never_closed_cost_no_time(office: PostOffice) -> None:
    """A megabyte of tags without an end is drawn as it is."""
    number = make(office, "<p>Hi</p>" + "<a '" * 250_000, None)

    assert drawn(office, number).startswith("<p>Hi</p><a '<a '")


def test_links_that_are_not_tracked_lead_nowhere_either(office: PostOffice) -> None:
    """It makes no difference to the preview which links are tracked, or whether any is."""
    number = make(office)
    before = drawn(office, number)
    for url in list_urls(office, number):
        set_url(office, number, url.id, mode=TrackingMode.NEVER)
    with office.database.write() as connection:
        deliveries.change(connection, number, is_tracked=False)

    assert before == drawn(office, number)


def test_style_sheets_stay_when_pictures_are_wanted(office: PostOffice) -> None:
    """What other hosts may bring then is left; links are not."""
    number = make(office)

    assert 'data-href="https://out.example/"' in drawn(office, number)
    assert '<link rel="prefetch" href="https://out.example/"' in drawn(
        office, number, is_loading=True
    )
    assert 'data-href="mailto:' in drawn(office, number, is_loading=True)


def test_a_link_is_marked(office: PostOffice) -> None:
    """The mark is a rule for the name of that link, in the HTML and in the text."""
    number = make(office)
    somebody = find_person(office, number).addressee
    html, text = (
        next(url.id for url in list_urls(office, number) if url.part is part and url.source == SHOP)
        for part in (Part.HTML, Part.TEXT)
    )

    assert f'[href="#{anchor(html)}"]{{' in draw_html(office, number, somebody, marked=html)
    assert "<style>" not in draw_html(office, number, somebody)
    page = draw_text(office, number, somebody, marked=text)
    name = f'href="#{anchor(text)}" name="{anchor(text)}"'
    assert f"&lt;<a {name}>https://shop.example/lamps?a=1&amp;b=2</a>&gt;" in page
    assert f'[href="#{anchor(text)}"]{{' in page


def test_a_token_of_the_author_is_no_link_of_ours(office: PostOffice) -> None:
    """An address that looks like one of ours but was written by somebody stays and is inert."""
    foreign = "https://t.example.com/r/abcdefghijklmnopqrstuvwx"
    number = make(office, f'<p>{foreign}</p><a href="{SHOP}">Shop</a>', None)
    html = drawn(office, number)

    assert f"<p>{foreign}</p>" in html


def test_the_reason_of_a_broken_content_is_told(office: PostOffice) -> None:
    """What would stop the analysis stops the preview, with the same place."""
    number = make(office, "<p>\n<%= recipient.first_name</p>", None)
    somebody = find_person(office, number).addressee

    with pytest.raises(InvalidContent, match="html line 2"):
        preview(office, number, somebody)
    with pytest.raises(InvalidContent, match="html line 2"):
        draw_html(office, number, somebody)
    assert problem(office, number).startswith("html line 2")
    assert "" == problem(office, make_fine(office))


def test_advice_is_what_an_analysis_would_say(office: PostOffice) -> None:
    """Before any analysis the links are judged with part and line; what is switched off is not."""
    number = make(office, "<p>\n<a href='shop.html'>Shop</a></p>", "Hi")
    (found,) = advice(office, number)
    analyse(office, number)

    assert found.rule == "relative-link"
    assert found.text.startswith("HTML line 2: ")
    with office.database.read() as connection:
        assert found in deliveries.checks(connection, number)
    assert [] == list(advice(replace(office, checks={"relative-link": "off"}), number))
    assert () == advice(office, make(office, "<%= broken", None))


def make_fine(office: PostOffice) -> DeliveryId:
    """Make a delivery with nothing wrong."""
    return create(office, Draft("Fine", SENDER, "Hi", "<p>Hi</p>"))


def test_a_script_that_fails_for_somebody_is_told(office: PostOffice) -> None:
    """What goes wrong only while a message is written is told with its place, too."""
    number = make(office, "<p>\n<%= what %></p>", None)

    with pytest.raises(InvalidContent, match="html line 2"):
        preview(office, number, find_person(office, number).addressee)


def test_what_was_sent_is_shown_as_it_was(office: PostOffice) -> None:
    """Of a delivery that was sent nothing is prepared again; what cannot be read is told."""
    number = make(office, "<p><%@ include view='Gone' %></p>", None)
    somebody = find_person(office, number).addressee
    with office.database.write() as connection:
        deliveries.change(connection, number, state=DeliveryState.FINISHED)

    with pytest.raises(InvalidContent):
        preview(office, number, somebody)


def test_there_must_be_a_delivery(office: PostOffice) -> None:
    """Unknown deliveries are told as such."""
    with pytest.raises(NotFound, match="no delivery 99"):
        find_person(office, DeliveryId(99))
