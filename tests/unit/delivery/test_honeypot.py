"""The hidden link: machines find it, people and operators never meet it, and it leads nowhere."""

import re
from dataclasses import replace

import pytest

from aftersend.audience.letter import read_letter
from aftersend.content import Addresses, Source, compile_message
from aftersend.content.mail import Tracker
from aftersend.database import deliveries, messages, urls
from aftersend.database.messages import Outcome
from aftersend.delivery.analyse import analyse
from aftersend.delivery.blocking import set_blocked
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.mirror import mirror_page
from aftersend.delivery.office import PostOffice
from aftersend.delivery.preview import draw_html, find_person
from aftersend.delivery.publish import amend
from aftersend.delivery.render import render
from aftersend.errors import InvalidContent, NotFound
from aftersend.model import catalogue
from aftersend.model.enumeration import MessageStatus, MirrorMode, UrlType
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import decode
from aftersend.settings import ContentSettings
from tests.support.post_office import (
    ADDRESSES,
    HTML,
    KEYS,
    NOW,
    add_recipients,
    draft,
    html_of,
    messages_of,
    read,
    text_of,
)

ADA = "ada@example.com"
START, END = '<a href="https://t.example.com/r/', '" style="display:none" aria-hidden="true"'


@pytest.fixture(name="trapping")
def _trapping(office: PostOffice) -> PostOffice:
    """Give a post office that hides a link."""
    return replace(office, content=ContentSettings(has_honeypot=True))


def _analysed(office: PostOffice) -> DeliveryId:
    add_recipients(office, [ADA])
    delivery_id = create(office, draft(html=f"<html><body class='a'>{HTML}</body></html>"))
    assert analyse(office, delivery_id).error is None
    return delivery_id


def _anonymous(text: str) -> str:
    """Take the tokens out: an analysis makes new messages."""
    return re.sub(r"/r/[a-z2-7]+", "/r/", text)


def _trap(office: PostOffice, delivery_id: DeliveryId) -> UrlId | None:
    with office.database.read() as connection:
        return urls.honeypot(connection, delivery_id)


def _published(office: PostOffice, delivery_id: DeliveryId) -> catalogue.Catalogue:
    return catalogue.decode((office.catalogue / f"{delivery_id}.json").read_bytes())


def test_a_message_hides_a_link_at_the_beginning(trapping: PostOffice) -> None:
    """It has no text, no place on the screen, no turn of the tab key, and no reader says it."""
    delivery_id = _analysed(trapping)
    html = html_of(read(render(trapping, delivery_id, ADA)))

    before, _, rest = html.partition(START)
    token, _, behind = rest.partition(END)

    assert before.endswith("<body class='a'>")
    assert behind.startswith(' tabindex="-1" rel="nofollow"></a>')
    assert decode(token, keys=KEYS).url_id == _trap(trapping, delivery_id)


def test_without_the_link_the_message_is_the_same(office: PostOffice, trapping: PostOffice) -> None:
    """Nothing else of it changes, and the text part has none."""
    delivery_id = _analysed(trapping)
    with_trap = read(render(trapping, delivery_id, ADA))
    html = html_of(with_trap)
    start = html.index(START)
    assert analyse(office, delivery_id).error is None
    plain = read(render(office, delivery_id, ADA))

    without = html[:start] + html[html.index("</a>", start) + 4 :]
    assert _anonymous(without) == _anonymous(html_of(plain))
    assert _anonymous(text_of(with_trap)) == _anonymous(text_of(plain))
    assert _trap(office, delivery_id) is None


def test_no_list_of_links_names_it(trapping: PostOffice) -> None:
    """Operators neither see nor change nor free it; the links of the author stay what they were."""
    delivery_id = _analysed(trapping)
    trap = _trap(trapping, delivery_id)
    assert trap is not None
    assert UrlType.HONEYPOT not in {url.type for url in list_urls(trapping, delivery_id)}
    with pytest.raises(NotFound):
        set_url(trapping, delivery_id, trap, label="Shop")
    with pytest.raises(NotFound):
        set_blocked(trapping, delivery_id, trap, is_blocked=False)


def test_a_second_analysis_keeps_it(trapping: PostOffice) -> None:
    """A link keeps its id however often the content is read."""
    delivery_id = _analysed(trapping)
    trap = _trap(trapping, delivery_id)
    analyse(trapping, delivery_id)
    assert trap is not None
    assert _trap(trapping, delivery_id) == trap


def test_tracking_servers_are_told_that_it_is_stopped(trapping: PostOffice) -> None:
    """Also when the catalogue is brought out anew: it never redirects anybody."""
    delivery_id = _analysed(trapping)
    trap = _trap(trapping, delivery_id)
    assert trap is not None
    for _ in range(2):
        destination = _published(trapping, delivery_id).urls[trap]
        assert destination.is_blocked
        assert destination.type is UrlType.HONEYPOT
        amend(trapping, delivery_id)


def test_what_people_see_has_none(trapping: PostOffice) -> None:
    """Neither the preview nor the mirror page; a reader of mail finds only the other links."""
    add_recipients(trapping, [ADA])
    delivery_id = create(trapping, draft())
    with trapping.database.write() as connection:
        deliveries.change(connection, delivery_id, mirror_mode=MirrorMode.FORCE)
    analyse(trapping, delivery_id)
    message_id = messages_of(trapping, delivery_id)[ADA].id
    with trapping.database.write() as connection:
        deliveries.change(connection, delivery_id, contact_at=NOW)
        messages.store_outcomes(connection, [Outcome(message_id, MessageStatus.SENT, NOW)])
    person = find_person(trapping, delivery_id, ADA)
    letter = read_letter(
        render(trapping, delivery_id, ADA), redirect_url=trapping.addresses.redirect
    )

    assert "display:none" not in mirror_page(trapping, message_id)
    assert "display:none" not in draw_html(trapping, delivery_id, person.addressee)
    assert len(letter.traps) == 1
    assert letter.links
    assert letter.traps[0] not in letter.links


def test_a_message_that_is_not_tracked_has_none() -> None:
    """Nothing that happens to it is known, so nobody has to be told apart."""
    template = compile_message(
        Source("", html=HTML),
        delivery_id=DeliveryId(1),
        addresses=ADDRESSES,
        is_tracked=False,
        honeypot=UrlId(9),
    )
    rendered = template.render({}, message_id=MessageId(1), keys=KEYS)
    assert "display:none" not in str(rendered.html)
    assert UrlId(9) not in template.urls


def test_a_mailer_of_ones_own_may_have_one() -> None:
    """The number is the caller's; the rest is as in a delivery."""
    template = compile_message(
        Source("", html=HTML), delivery_id=DeliveryId(1), addresses=ADDRESSES, honeypot=UrlId(9)
    )
    rendered = template.render({}, message_id=MessageId(1), keys=KEYS)
    assert str(rendered.html).startswith(START)
    assert template.urls[UrlId(9)].is_blocked


def test_a_finished_message_may_have_one() -> None:
    """One link in the first HTML, published before the message is handed out; the rest stays."""
    raw = (
        b"Subject: Lamps\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n"
        b"<body><p>Hello</p></body>\r\n"
    )
    kept: list[catalogue.Catalogue] = []

    def track(has_honeypot: bool) -> bytes:
        tracker = Tracker(
            delivery_id=DeliveryId(1),
            keys=KEYS,
            addresses=Addresses("https://t.example.com", "https://app.example.com"),
            publish=lambda data, _delivery_id: kept.append(catalogue.decode(data)),
            has_honeypot=has_honeypot,
        )
        done = tracker.track(raw, message_id=MessageId(1))
        assert not done.untracked_reason
        return done.message

    plain, trapped = track(False), track(True)
    start = trapped.index(START.encode())
    assert trapped[:start] + trapped[trapped.index(b"</a>", start) + 4 :] == plain
    assert [url.is_blocked for url in kept[1].urls.values()].count(True) == 1


def test_an_id_that_is_taken_is_refused() -> None:
    """Two links never share one."""
    with pytest.raises(InvalidContent, match="2 is the id of another link"):
        compile_message(
            Source("", html=HTML), delivery_id=DeliveryId(1), addresses=ADDRESSES, honeypot=UrlId(2)
        )
