"""Tracking finished messages: what is handed out, and what was published before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from html import unescape
from typing import Any

import pytest

from aftersend.content import Preparation, mail
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, MessageId
from tests.support.content_golden import DELIVERY_ID, MESSAGE_ID, tokens
from tests.support.own_mailer import SHOP, Desk, destinations, letter, make_tracker, plain
from tests.support.post_office import html_of, read, text_of


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
    text = "https://t.example/r/abc " + " ".join(f"https://app.example/{n}/abc" for n in "umps")

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
