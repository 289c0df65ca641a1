"""Tracking finished messages: what is handed out, and what was published before."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from aftersend.content import Preparation, mail
from aftersend.content.mail import Publish, Tracker, in_folder, merge, track
from aftersend.errors import InvalidCatalogue, InvalidInput
from aftersend.model import catalogue
from aftersend.model.catalogue import Catalogue, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, UrlId
from tests.support import tracking_server
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS, MESSAGE_ID, tokens
from tests.support.post_office import html_of, read, text_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOP = "https://shop.example/lamps?a=1&b=2"


class Desk:
    """Keeps what is published, and fails when it is told to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.published: list[Catalogue] = []
        self.error: Exception | None = None

    def __call__(self, data: bytes, delivery_id: DeliveryId) -> None:
        """Take a catalogue."""
        if self.error is not None:
            raise self.error
        made = catalogue.decode(data)
        assert delivery_id == made.delivery_id
        self.published.append(made)


def make_tracker(publish: Publish, **changes: Any) -> Tracker:
    """Make a tracker with the keys, delivery and addresses that all tests share."""
    values: dict[str, Any] = {"delivery_id": DELIVERY_ID, "keys": KEYS, "addresses": ADDRESSES}
    return Tracker(publish=publish, **(values | changes))


def letter(text: str = f"Look: {SHOP}\n", html: str | None = None) -> EmailMessage:
    """Write a message as a program does."""
    message = EmailMessage()
    message["To"] = "ada@example.com"
    message["Subject"] = "Grüße"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def plain(text: str, *headers: str) -> bytes:
    """Write a message of one text by hand."""
    return "\r\n".join((*headers, "Subject: x", "", text)).encode()


def destinations(made: Catalogue) -> Mapping[UrlId, str]:
    """Tell where the links of a catalogue lead."""
    return {key: str(url.pieces[0]) for key, url in made.urls.items() if url.pieces}


def test_a_message_object_comes_back_as_one() -> None:
    """Links of both parts are tracked, the pixel is in the HTML, the original is left alone."""
    desk = Desk()
    message = letter(html=f'<p>Grüße, <a href="{SHOP}">look</a></p>')
    before = message.as_bytes()

    tracked = make_tracker(desk).track(message, message_id=MESSAGE_ID)

    assert tracked.untracked_reason == ""
    assert before == message.as_bytes()
    sent = tracked.message
    assert isinstance(sent, EmailMessage)
    assert ("Grüße", "ada@example.com") == (sent["Subject"], sent["To"])
    (text_token,) = tokens(text_of(sent))
    link, pixel = tokens(html_of(sent))
    (published,) = desk.published
    assert {SHOP} == set(destinations(published).values())
    assert {text_token.url_id, link.url_id, OPEN_URL_ID} == published.urls.keys()
    assert OPEN_URL_ID == pixel.url_id
    assert {(DELIVERY_ID, MESSAGE_ID)} == {
        (token.delivery_id, token.message_id) for token in (text_token, link, pixel)
    }
    assert [Part.TEXT, Part.HTML, Part.HTML] == [text_token.part, link.part, pixel.part]


def test_messages_of_the_older_kind() -> None:
    """A message of `email.mime` stays one, and a line that begins with `From ` stays bare."""
    message = MIMEMultipart("mixed")
    message["Subject"] = "x"
    message.attach(MIMEText(f"From here: {SHOP}\nFrom there", "plain", "us-ascii"))
    message.attach(MIMEApplication(b"From \x00\xff", Name="a.bin"))

    tracked = make_tracker(Desk()).track(message, message_id=MESSAGE_ID)

    assert tracked.untracked_reason == ""
    _, text, attachment = tracked.message.walk()
    assert str(text.get_payload()).startswith("From here: https://t.example/r/")
    assert str(text.get_payload()).endswith("\nFrom there")
    assert b"From \x00\xff" == attachment.get_payload(decode=True)


def test_a_text_without_links_stays_as_it_is() -> None:
    """Where there is nothing to change, not a byte is changed."""
    desk = Desk()
    raw = plain("Nothing to click =3D\r\n", "Content-Transfer-Encoding: quoted-printable")

    tracked = make_tracker(desk).track(raw, message_id=MESSAGE_ID)

    assert (raw, "") == (tracked.message, tracked.untracked_reason)
    assert desk.published == []


def test_same_links_are_published_once() -> None:
    """A link has one id in every message; the catalogue goes out when it has grown, and whole."""
    desk = Desk()
    tracker = make_tracker(desk)

    first, second = (tracker.track(letter(), message_id=MessageId(n)).message for n in (1, 2))
    assert len(desk.published) == 1
    third = tracker.track(letter(f"{SHOP} https://b.example"), message_id=MessageId(3)).message

    ids = [[token.url_id for token in tokens(text_of(each))] for each in (first, second, third)]
    assert ids[0] == ids[1] == ids[2][:1]
    assert len(desk.published) == 2
    assert {ids[0][0]: SHOP, ids[2][1]: "https://b.example"} == destinations(desk.published[1])


def test_another_process_gives_the_same_ids() -> None:
    """Ids depend on nothing but the link: its part, type and URL."""
    html = f'<a href="{SHOP}">A</a><a href="{SHOP}#b">B</a>'
    sent = [
        make_tracker(Desk()).track(letter(f"Hi {n}", html), message_id=MESSAGE_ID).message
        for n in range(2)
    ]

    assert html_of(sent[0]) == html_of(sent[1])
    assert 3 == len({token.url_id for token in tokens(html_of(sent[0]))})


def test_the_name_of_a_link_is_the_first_one() -> None:
    """Names may differ from message to message, as with a greeting inside the link."""
    desk = Desk()
    tracker = make_tracker(desk)
    for name in ("Ada", "Bob"):
        message = letter("x", f'<a href="{SHOP}">For {name}</a>')
        assert tracker.track(message, message_id=MESSAGE_ID).untracked_reason == ""

    (published,) = desk.published
    assert ["For Ada", "Open"] == sorted(url.label for url in published.urls.values())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (plain(SHOP, "DKIM-Signature: v=1; a=rsa-sha256"), "sign it then"),
        (plain(SHOP, "Content-Type: text/plain; charset=klingon"), "unknown charset 'klingon'"),
        (plain(SHOP, "Content-Type: text/plain; charset=unicode-escape"), "unknown charset"),
        (plain(SHOP, "Content-Type: text/plain; charset=rot13"), "unknown charset"),
        (plain(f"é {SHOP}", "Content-Type: text/plain; charset=us-ascii"), "us-ascii, but is not"),
        (plain(SHOP, "Content-Transfer-Encoding: x-uuencode"), "transfer encoding 'x-uuencode'"),
        (plain("*not*", "Content-Transfer-Encoding: base64"), "not base64"),
        (plain("abcde", "Content-Transfer-Encoding: base64"), "not base64"),
        (plain(SHOP, "Content-Type: application/pdf"), "no text in it"),
        (plain(" \r\n"), "no text in it"),
        (plain(SHOP, "Content-Disposition: attachment"), "no text in it"),
        (plain(f"{SHOP}?{'x' * 9000}"), "longer than 8192"),
    ],
)
def test_what_cannot_be_tracked_is_sent_as_it_was(raw: bytes, reason: str) -> None:
    """The original comes back with the reason, and nothing is published."""
    desk = Desk()

    tracked = make_tracker(desk).track(raw, message_id=MESSAGE_ID)

    assert tracked.message is raw
    assert reason in tracked.untracked_reason
    assert desk.published == []


def test_a_part_that_cannot_be_decoded_leaves_all_parts_untracked() -> None:
    """A message is tracked whole or not at all."""
    message = letter(html=f'<a href="{SHOP}">x</a>')
    raw = message.as_bytes().replace(b'text/html; charset="utf-8"', b'text/html; charset="klingon"')

    tracked = make_tracker(Desk()).track(raw, message_id=MESSAGE_ID)

    assert (raw, True) == (tracked.message, "klingon" in tracked.untracked_reason)


def test_a_link_that_cannot_be_published_is_not_handed_out() -> None:
    """The message is sent untracked; the next one tries again."""
    desk = Desk()
    desk.error = OSError("the disk is full")
    tracker = make_tracker(desk)
    message = letter()

    failed = tracker.track(message, message_id=MESSAGE_ID)
    desk.error = None
    tracked = tracker.track(message, message_id=MESSAGE_ID)

    assert failed.message is message
    assert failed.untracked_reason == "OSError: the disk is full"
    assert tracked.untracked_reason == ""
    assert len(desk.published) == 1


def test_too_many_links_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue does not grow without end; links that are known still work."""
    monkeypatch.setattr(mail, "LINKS_MAX", 2)
    desk = Desk()
    tracker = make_tracker(desk)
    tracker.track(letter("https://a.example https://b.example"), message_id=MESSAGE_ID)

    refused = tracker.track(letter("https://c.example"), message_id=MESSAGE_ID)
    known = tracker.track(letter("https://b.example"), message_id=MESSAGE_ID)

    assert "more than 2 different links" in refused.untracked_reason
    assert known.untracked_reason == ""
    assert len(desk.published) == 1


@pytest.mark.parametrize("number", [0, -1, 2**63, True, "7"])
def test_ids_are_numbers(number: Any) -> None:
    """A wrong id is the caller's mistake, not an odd message: it is told at once."""
    with pytest.raises(InvalidInput, match="whole number from 1"):
        make_tracker(Desk()).track(b"", message_id=number)
    with pytest.raises(InvalidInput, match="whole number from 1"):
        make_tracker(Desk(), delivery_id=number)


def test_threads_hand_out_published_links_only() -> None:
    """Whatever the order of threads: at the moment it is handed out, every link is published."""
    desk = Desk()
    tracker = make_tracker(desk)

    def work(number: int) -> bool:
        text = " ".join(f"https://x{n}.example/" for n in (number % 7, number % 5 + 7, number))
        sent = tracker.track(letter(text), message_id=MessageId(number + 1)).message
        known = desk.published[-1].urls.keys()
        return {token.url_id for token in tokens(text_of(sent))} <= known

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(60)))

    sizes = [len(made.urls) for made in desk.published]
    assert sorted(set(sizes)) == sizes
    assert 60 == sizes[-1]


def test_links_of_ours_are_left_alone() -> None:
    """A message that was rendered from a template is not tracked a second time."""
    text = "https://t.example/r/abc https://app.example/u/abc https://app.example/m/abc"

    sent = make_tracker(Desk()).track(letter(text), message_id=MESSAGE_ID).message

    assert f"{text}\n" == text_of(sent)


def test_link_parameters_and_formulas_are_for_everybody() -> None:
    """What a formula writes beyond ASCII fits into the message: the charset changes if it must."""
    raw = plain(
        f"Look: {SHOP}",
        "Content-Type: text/plain;\r\n charset=us-ascii; format=flowed",
        "X-Behind: 1",
    )
    preparation = Preparation(
        link_parameters="utm_source=mail", click_formula="<%= trackingUrl %>#é"
    )
    desk = Desk()

    sent = make_tracker(desk, preparation=preparation).track(raw, message_id=MESSAGE_ID)

    assert sent.untracked_reason == ""
    message = read(sent.message)
    assert text_of(message).endswith("#é")
    assert "utf-8" == message.get_content_charset()
    assert ("flowed", "1", "quoted-printable") == (
        message.get_param("format"),
        message["X-Behind"],
        message["Content-Transfer-Encoding"],
    )
    assert {f"{SHOP}&utm_source=mail"} == set(destinations(desk.published[0]).values())


def test_html_keeps_its_charset() -> None:
    """What the charset cannot hold becomes a character reference."""
    raw = plain(f'<a href="{SHOP}">x</a>', "Content-Type: text/html; charset=us-ascii")
    preparation = Preparation(click_formula="<%= trackingUrl %>#é")

    sent = make_tracker(Desk(), preparation=preparation).track(raw, message_id=MESSAGE_ID).message

    assert b'#&#233;">x</a>' in sent
    assert b"charset=us-ascii" in sent


def test_long_lines_are_quoted() -> None:
    """A line that our address makes too long for SMTP travels as quoted-printable."""
    text = f"{'x' * 970} https://b.example"
    raw = plain(text)

    sent = make_tracker(Desk()).track(raw, message_id=MESSAGE_ID).message

    assert max(map(len, sent.splitlines())) <= 76
    assert text_of(read(sent)).startswith(f"{'x' * 970} https://t.example/r/")


@pytest.mark.parametrize(
    ("body", "charset"),
    [(b"Look", "us-ascii"), ("Grüße".encode(), "utf-8"), ("Grüße".encode("latin-1"), "latin-1")],
)
def test_a_text_that_does_not_say_its_charset(body: bytes, charset: str) -> None:
    """It is read as what it can be, and stays what it was."""
    sent = make_tracker(Desk()).track(
        b"Subject: x\n\n" + body + b" https://b.example", message_id=MESSAGE_ID
    )

    assert sent.untracked_reason == ""
    assert sent.message.startswith(b"Subject: x\n\n" + body + b" https://t.example/r/")


def test_catalogues_are_merged() -> None:
    """What was published stays: its links, when they expire, and where they lead then."""
    shop, other = (Destination((f"https://{name}.example/",)) for name in ("shop", "other"))
    made = Catalogue(
        DELIVERY_ID, NOW, {UrlId(5): shop}, expires_at=NOW, substitution_url="https://x.example/"
    )
    later = NOW.replace(year=2027)
    added = Catalogue(DELIVERY_ID, later, {UrlId(5): other, UrlId(6): other})

    merged = catalogue.decode(merge(catalogue.encode(made), catalogue.encode(added)))

    expected = replace(made, published_at=later, urls={UrlId(5): shop, UrlId(6): other})
    assert expected == merged


def test_catalogues_of_two_deliveries_are_not_merged() -> None:
    """The links of one would lead to those of the other."""
    one, two = (catalogue.encode(Catalogue(DeliveryId(n), NOW)) for n in (1, 2))

    with pytest.raises(InvalidInput, match="Delivery 1 cannot take the links of delivery 2"):
        merge(one, two)
    with pytest.raises(InvalidCatalogue):
        merge(b"{}", one)


def test_several_writers_share_a_folder(tmp_path: Path) -> None:
    """No link of anybody is lost, and each further step gets the whole catalogue."""
    handed_on: list[bytes] = []
    trackers = [
        make_tracker(in_folder(tmp_path / "new", lambda data, _id: handed_on.append(data)))
        for _ in range(4)
    ]

    def work(number: int) -> str:
        text = f"https://x{number}.example/"
        tracker = trackers[number % 4]
        return tracker.track(letter(text), message_id=MESSAGE_ID).untracked_reason

    with ThreadPoolExecutor(4) as threads:
        assert {""} == set(threads.map(work, range(40)))

    stored = (tmp_path / "new" / "7.json").read_bytes()
    expected = {f"https://x{number}.example/" for number in range(40)}
    assert expected == set(destinations(catalogue.decode(stored)).values())
    assert stored == handed_on[-1]
    assert list(range(1, 41)) == [len(json.loads(data)["urls"]) for data in handed_on]


def test_a_damaged_catalogue_is_not_overwritten(tmp_path: Path) -> None:
    """Links that people have in their hands may stand in it."""
    (tmp_path / "7.json").write_text("{")

    tracked = make_tracker(in_folder(tmp_path)).track(letter(), message_id=MESSAGE_ID)

    assert "is not JSON" in tracked.untracked_reason
    assert (tmp_path / "7.json").read_text() == "{"


def test_one_message_by_itself(tmp_path: Path) -> None:
    """The short form needs no tracker: in a folder its links join those of the delivery."""
    for number in (1, 2):
        sent = track(
            letter(f"https://x{number}.example"),
            delivery_id=DELIVERY_ID,
            message_id=MessageId(number),
            keys=KEYS,
            addresses=ADDRESSES,
            publish=in_folder(tmp_path),
        )
        assert sent.untracked_reason == ""

    stored = catalogue.decode((tmp_path / "7.json").read_bytes())
    assert {"https://x1.example", "https://x2.example"} == set(destinations(stored).values())


def test_the_links_work(tmp_path: Path) -> None:
    """A message whose catalogue was put to a tracking server leads people home."""
    html = f'<a href="{SHOP.replace("&", "&amp;")}">x</a>'
    with tracking_server.tracking(tmp_path) as server:

        def put(data: bytes, delivery_id: DeliveryId) -> None:
            server.admin("PUT", f"/catalogue/{delivery_id}", data).raise_for_status()

        tracker = make_tracker(put, keys=tracking_server.KEYS, delivery_id=DeliveryId(9))
        sent = tracker.track(letter(html=html), message_id=MESSAGE_ID).message
        paths = [
            word.partition('"')[0].removeprefix("https://t.example")
            for text in (text_of(sent), html_of(sent))
            for word in text.replace("https", " https").split()
            if word.startswith("https://t.example/")
        ]
        answers = [server.get(path) for path in paths]

    assert [302, 302, 200] == [answer.status_code for answer in answers]
    assert [SHOP, SHOP, None] == [answer.headers.get("Location") for answer in answers]


@pytest.mark.parametrize("attribute", ['clicktracking="off"', "ses:no-track"])
def test_what_the_author_switched_off_is_off_everywhere(attribute: str) -> None:
    """A link that is not tracked in the HTML is not tracked in the text."""
    message = letter(html=f'<a {attribute} href="{SHOP}">x</a><a href="https://b.example">y</a>')

    sent = make_tracker(Desk()).track(message, message_id=MESSAGE_ID).message

    assert f"Look: {SHOP}\n" == text_of(sent)
    assert [UrlType.EMAIL_CLICK, UrlType.OPEN] == [
        UrlType.OPEN if token.url_id == OPEN_URL_ID else UrlType.EMAIL_CLICK
        for token in tokens(html_of(sent))
    ]


@pytest.mark.parametrize("written", ["?a=<%=b%>", "?a=&lt;%=b%&gt;", "?a=%3C%25"])
def test_what_looks_like_an_expression_is_text(written: str) -> None:
    """A finished message is not personalised once more, in its addresses neither."""
    desk = Desk()
    html = f'<% if (x) {{ %><a href="https://x.example/{written}"><%= recipient.name %></a>'
    raw = plain(html, "Content-Type: text/html")

    tracked = make_tracker(desk).track(raw, message_id=MESSAGE_ID)

    assert tracked.untracked_reason == ""
    assert b"<% if (x) { %><a href" in tracked.message
    assert b"<%= recipient.name %></a>" in tracked.message
    assert {f"https://x.example/{unescape(written)}"} == set(
        destinations(desk.published[0]).values()
    )


def _broken(*_arguments: Any, **_named: Any) -> Any:
    raise AssertionError("both readings of a tag agree")


def test_a_bug_of_ours_harms_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail goes out, whatever happens inside."""
    broken: Callable[..., Any] = _broken
    monkeypatch.setattr(mail, "detect", broken)
    message = letter()

    tracked = make_tracker(Desk()).track(message, message_id=MESSAGE_ID)

    assert tracked.message is message
    assert tracked.untracked_reason == "AssertionError: both readings of a tag agree"
