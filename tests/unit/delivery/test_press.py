"""Printing the message of a delivery for one recipient after the other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from aftersend.content import Preparation, Source, compile_message
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Addressee
from aftersend.database.seeds import Seed
from aftersend.delivery.press import Press, StandIn, build
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import DeliveryState, EmailFormat, Part
from aftersend.model.ids import NO_URL_ID, DeliveryId, MessageId, RecipientId
from aftersend.model.token import KeyRing, Token, decode
from tests.support.post_office import (
    ADDRESSES,
    EMAILS,
    HTML,
    KEYS,
    NOW,
    SENDER,
    TEXT,
    html_of,
    read,
    text_of,
)

DELIVERY = Delivery(
    id=DeliveryId(7),
    internal_name="DM7",
    label="Lamps",
    state=DeliveryState.TARGET_READY,
    sender=SENDER,
    subject="Lamps",
    is_tracked=True,
    is_open_tracked=True,
    is_target_all=True,
    to_deliver=1,
    text_count=0,
    rejected=0,
    success=0,
    error=0,
    created_at=NOW,
    modified_at=NOW,
    analysed_at=NOW,
    contact_at=None,
    ended_at=None,
)
ADA = Addressee(
    id=MessageId(300),
    recipient_id=RecipientId(5),
    address="ada@example.com",
    is_text=False,
    is_seed=False,
    is_known=True,
    is_denylisted=False,
    first_name="Ada",
    last_name="Lovelace",
    format=EmailFormat.UNDEFINED,
    fields={},
)


def _press(
    *,
    subject: str = "Lamps",
    html: str | None = HTML,
    text: str | None = TEXT,
    keys: KeyRing = KEYS,
    seeds: Mapping[str, Seed] | None = None,
) -> Press:
    template = compile_message(
        Source(subject, html, text), delivery_id=DELIVERY.id, addresses=ADDRESSES
    )
    return build(
        DELIVERY,
        template,
        keys=keys,
        app_url=ADDRESSES.app,
        seeds=list((seeds or {}).values()),
        stand_in=StandIn("Sam", "Stand", {"city": "London"}),
    )


def test_headers_say_who_what_and_when() -> None:
    """A message names sender, recipient and time, and how to unsubscribe with one click."""
    message = read(_press().letter(ADA, at=NOW).data)

    assert "Harbour & Pine <news@shop.example>" == message["From"]
    assert "Ada Lovelace <ada@example.com>" == message["To"]
    assert "Lamps" == message["Subject"]
    assert NOW == parsedate_to_datetime(message["Date"])
    assert "1.0" == message["MIME-Version"]
    assert "List-Unsubscribe=One-Click" == message["List-Unsubscribe-Post"]
    address = str(message["List-Unsubscribe"])
    assert address.startswith("<https://app.example.com/u/")
    token = decode(address.rpartition("/")[2].rstrip(">"), keys=KEYS)
    assert Token(Part.HTML, DELIVERY.id, ADA.id, NO_URL_ID) == token


def test_the_envelope_names_both_in_ascii() -> None:
    """Sender and recipient of the envelope are bare addresses, domains in ASCII."""
    letter = _press().letter(replace(ADA, address="ada@bücher.example"), at=NOW)

    assert "news@shop.example" == letter.sender
    assert "ada@xn--bcher-kva.example" == letter.recipient
    assert "ada@xn--bcher-kva.example" in str(read(letter.data)["To"])


def test_both_parts_come_with_the_best_last() -> None:
    """A reader gets text first and HTML last, and shows the last one it can."""
    message = read(_press().letter(ADA, at=NOW).data)

    assert "multipart/alternative" == message.get_content_type()
    assert ["text/plain", "text/html"] == [part.get_content_type() for part in message.iter_parts()]
    assert "Hello Ada, look: https://t.example.com/r/" in text_of(message)
    assert "<p>Hello Ada, <a href='https://t.example.com/r/" in html_of(message)


@pytest.mark.parametrize(
    ("html", "text", "is_text", "kind"),
    [
        (HTML, TEXT, True, "text/plain"),
        (None, TEXT, True, "text/plain"),
        (None, TEXT, False, "text/plain"),
        (HTML, None, False, "text/html"),
        (HTML, None, True, "text/html"),
    ],
)
def test_one_part_stands_alone(
    html: str | None, text: str | None, is_text: bool, kind: str
) -> None:
    """Who wants text gets it alone; a message of one part is not multipart."""
    letter = _press(html=html, text=text).letter(replace(ADA, is_text=is_text), at=NOW)

    assert kind == read(letter.data).get_content_type()


def test_a_message_keeps_its_name(tmp_path: Path) -> None:
    """The Message-ID is the same at any time and with a new key, and differs between messages."""
    later = datetime(2027, 1, 1, tzinfo=UTC)
    more_keys = KeyRing({**KEYS.secrets, 2: bytes(32)})

    first = read(_press().letter(ADA, at=NOW).data)["Message-ID"]
    again = read(_press(keys=more_keys).letter(ADA, at=later).data)["Message-ID"]
    other = read(_press().letter(replace(ADA, id=MessageId(301)), at=NOW).data)["Message-ID"]

    assert first == again
    assert first != other
    assert first.startswith("<300.7.")
    assert first.endswith("@shop.example>")


def test_a_name_or_value_cannot_add_a_header() -> None:
    """Line ends in a recipient's fields end up as spaces in the subject and encoded in the body."""
    eve = replace(ADA, first_name="Eve\r\nBcc: x@y.example", last_name="")
    press = _press(subject="For <%= recipient.first_name %>")

    message = read(press.letter(eve, at=NOW).data)

    assert "Bcc" not in message
    assert "For Eve Bcc: x@y.example" == message["Subject"]
    assert "ada@example.com" == message["To"].addresses[0].addr_spec


def test_a_subject_is_personalised_and_encoded() -> None:
    """Letters outside ASCII survive in the subject of each recipient."""
    press = _press(subject="Für <%= recipient.firstName %>, 50 % €")

    message = read(press.letter(replace(ADA, first_name="Zoë"), at=NOW).data)

    assert "Für Zoë, 50 % €" == message["Subject"]


def test_a_seed_is_filled_from_a_stand_in() -> None:
    """What a seed address lacks comes from somebody of the target, never into its own name."""
    text = "<%= recipient.first_name %> <%= recipient.last_name %> of <%= recipient.city %>"
    seed = replace(ADA, address="seed@x.example", is_seed=True, is_known=False, first_name="")
    press = _press(
        html=None, text=text, seeds={"seed@x.example": Seed("seed@x.example", last_name="Seed")}
    )

    message = read(press.letter(seed, at=NOW).data)

    assert "Sam Seed of London\n" == text_of(message)
    assert "Seed <seed@x.example>" == message["To"]


def test_a_seed_without_a_row_is_filled_too() -> None:
    """A seed address that was removed since still gets a whole message."""
    seed = replace(ADA, address="seed@x.example", is_seed=True, is_known=False)

    message = read(_press(html=None, text="<%= recipient.first_name %>").letter(seed, at=NOW).data)

    assert "Sam\n" == text_of(message)


@pytest.mark.parametrize("path", sorted(EMAILS.glob("*.html")), ids=lambda path: path.stem)
def test_real_templates_survive_every_byte(path: Path) -> None:
    """What a reader gets of a real template is what the preparation wrote, in lines mail allows."""
    html = path.read_text()
    alternative = path.with_suffix(".txt")
    text = alternative.read_text() if alternative.exists() else "Hello.\n"
    press = _press(html=html, text=text)
    values = {"email": ADA.address, "first_name": "Ada", "last_name": "Lovelace"}
    rendered = press.template.render(values, message_id=ADA.id, keys=KEYS)

    data = press.letter(ADA, at=NOW).data

    message = read(data)
    assert rendered.html == html_of(message)
    assert rendered.text == text_of(message)
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert not any(line.startswith(b".") or b"\n" in line or b"\r" in line for line in lines)


def test_odd_bytes_survive() -> None:
    """Long lines, dots, `From `, spaces at line ends and other scripts arrive as they were."""
    text = f".\n..\nFrom me \n\t\n=3D é漢字🙂\n{'x' * 3000}\n{'ü' * 500}\nend"

    message = read(_press(html=f"<p>{text}</p>", text=text).letter(ADA, at=NOW).data)

    assert text == text_of(message)
    assert f"<p>{text}</p>" in html_of(message)


@pytest.mark.parametrize(
    ("html", "shown"),
    [("<body>x</body>\n", "<body>x</body>\n"), ("<body>x</body>", "<body>x</body>\n")],
)
def test_a_message_of_one_part_ends_with_its_last_line(html: str, shown: str) -> None:
    """Without a second part behind it, a text ends with a line end, one and no more."""
    press = _press(html=html, text=None)

    without_pixel = html_of(read(press.letter(ADA, at=NOW).data)).partition("<img")

    assert shown == without_pixel[0] + without_pixel[2].partition(">")[2]


def test_a_value_at_the_end_of_a_part_survives() -> None:
    """A part may end in a value, and the value may be empty."""
    press = _press(html="<p>x</p>", text="Bye <%= recipient.first_name %>")

    for name, expected in (("Ada", "Bye Ada"), ("", "Bye ")):
        message = read(press.letter(replace(ADA, first_name=name), at=NOW).data)
        assert expected == text_of(message)


def test_a_part_of_one_slot_only() -> None:
    """A text that is nothing but a value can be printed."""
    press = _press(html=None, text="<%= recipient.first_name %>")

    assert "Ada\n" == text_of(read(press.letter(ADA, at=NOW).data))


SCRIPTED_HTML = (
    "<p><% if (recipient.city == 'Bonn') { %>Up the Rhine<% } else { %>Hello<% } %>"
    " <%= recipient.first_name %></p>"
    "<% (recipient.items || '').split(',').forEach(function (item) { %>"
    "<a href='https://shop.example/?q=<%= escapeUrl(item) %>'><%= item %></a>"
    "<% }) %>\n"
)
SCRIPTED_TEXT = (
    "<% if (recipient.city == 'Bonn') { %>.\nFrom \n<% } %>Dear <%= toUpperCase(recipient.city) %> "
)


@pytest.mark.parametrize("city", ["Bonn", "Zürich", ""])
@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.parametrize("parts", ["both", "html", "text"])
def test_scripted_messages_survive_every_byte(city: str, is_text: bool, parts: str) -> None:
    """What a reader gets is what the scripts wrote, whichever parts have any."""
    html = SCRIPTED_HTML if parts != "text" else HTML
    text = SCRIPTED_TEXT if parts != "html" else TEXT
    press = _press(subject="For <%= recipient.city + '!' %>", html=html, text=text)
    ada = replace(ADA, is_text=is_text, fields={"city": city, "items": "lamp,é & ü"})
    _, values = press.person(ada)
    rendered = press.template.render(values, message_id=ADA.id, keys=KEYS, at=NOW)

    data = press.letter(ada, at=NOW).data

    message = read(data)
    assert f"For {city}!" == message["Subject"]
    assert (rendered.text or "").rstrip("\n") == text_of(message).rstrip("\n")
    if not is_text:
        assert rendered.html == html_of(message)
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert not any(line.startswith(b".") or line.endswith(b" ") for line in lines)


@pytest.mark.parametrize(
    "text", ["Bye ", "Bye\t", "<%= recipient.first_name %> ", "<%='x '%>", "<%%>"]
)
def test_a_part_may_end_in_a_space(text: str) -> None:
    """A space at the very end of a part is not lost on the way."""
    for html in (None, HTML):
        press = _press(html=html, text=text)
        expected = press.template.render({"first_name": "Ada"}, message_id=ADA.id, keys=KEYS).text

        assert expected == text_of(read(press.letter(ADA, at=NOW).data)).removesuffix("\n")


def test_scripts_take_the_time_of_the_letter() -> None:
    """The date of a letter and that of its scripts are the same, so a mirror can show it."""
    press = _press(html=None, text="<%= new Date().toISOString() %>")

    assert "2026-03-02T09:30:00.000Z\n" == text_of(read(press.letter(ADA, at=NOW).data))


@pytest.mark.parametrize("city", ["throw", "loop", "memory"])
def test_a_recipient_whose_script_fails_fails_alone(city: str) -> None:
    """A script that fails, loops or eats memory costs its recipient the letter, nobody else's."""
    text = (
        "<% if (recipient.city == 'throw') recipient.none.none;"
        " if (recipient.city == 'loop') for (;;);"
        " if (recipient.city == 'memory') for (var a = [];;) a.push('x' + a.length) %>"
        "Hello <%= recipient.city %>"
    )
    template = compile_message(
        Source("-", text=text),
        delivery_id=DELIVERY.id,
        addresses=ADDRESSES,
        preparation=Preparation(seconds_max=0.2, memory_bytes_max=8 * 1024 * 1024),
    )
    press = build(DELIVERY, template, keys=KEYS, app_url=ADDRESSES.app)

    for name in ("Bonn", city, "Rome"):
        somebody = replace(ADA, fields={"city": name})
        if name == city:
            with pytest.raises(InvalidContent, match=r"text.*failed for this recipient"):
                press.letter(somebody, at=NOW)
        else:
            assert f"Hello {name}\n" == text_of(read(press.letter(somebody, at=NOW).data))
