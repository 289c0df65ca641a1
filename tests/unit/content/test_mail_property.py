"""What must hold for every finished message that anybody could hand over."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

from hypothesis import given

from aftersend.content import Source, TrackedLink, compile_message, detect
from aftersend.content.mail import Tracker, _url_id
from aftersend.model.enumeration import Part
from tests.support import mail_strategies as some
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS, MESSAGE_ID
from tests.support.mail_strategies import Made, Text

_LINK = re.compile(r"https://t\.example/r/[a-z2-7]+(?!\.gif|[a-z2-7])")
_PIXEL = re.compile(r'<img src="https://t\.example/r/[a-z2-7]+\.gif"[^>]*>')


def _track(raw: bytes) -> bytes:
    tracker = Tracker(
        delivery_id=DELIVERY_ID,
        keys=KEYS,
        addresses=ADDRESSES,
        publish=lambda _catalogue, _delivery_id: None,
    )
    tracked = tracker.track(raw, message_id=MESSAGE_ID)
    assert tracked.untracked_reason in ("", "There is no text in it that may be changed.")
    return tracked.message


def _bodies(made: Made, sent: bytes) -> Iterator[bytes]:
    """Give what stands in place of the texts; everything else must be where it was."""
    at = 0
    for index, piece in enumerate(made.pieces):
        if isinstance(piece, bytes):
            assert sent.startswith(piece, at)
            at += len(piece)
        else:
            behind = made.pieces[index + 1]
            assert isinstance(behind, bytes)
            end = sent.index(behind, at) if behind else len(sent)
            yield sent[at:end]
            at = end
    assert at == len(sent)


def _alone(text: Text, *, has_pixel: bool) -> str:
    """Prepare a text without a message around it."""
    html, plain = (text.content if text.part is part else None for part in (Part.HTML, Part.TEXT))
    source = Source("", html, plain, is_literal=True)
    template = compile_message(
        source,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        tracked={
            (link.part, link.source): TrackedLink(_url_id(link), link.type, link.label)
            for link in detect(source, addresses=ADDRESSES)
        },
        is_open_tracked=has_pixel,
    )
    rendered = template.render({}, message_id=MESSAGE_ID, keys=KEYS)
    return rendered.html or rendered.text or ""


def _decoded(text: Text, body: bytes) -> str:
    """Read a body as the standard library does."""
    entity: Message = message_from_bytes(
        f"Content-Transfer-Encoding: {text.encoding}\r\n\r\n".encode() + body
    )
    raw = entity.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode(text.charset)


@given(some.messages())
def test_texts_and_nothing_else(made: Made) -> None:
    """Texts become what they become without a message around; all else stays byte for byte.

    Killed mutants: multipart/signed walked into; all parts of related walked into; the line end
    before a boundary given to the part; `--` left bare at the beginning of a quoted-printable line;
    an end boundary taken for one more part; attachments changed; the pixel in every HTML.
    """
    sent = _track(made.raw)
    texts = made.texts
    html = next((text for text in texts if text.part is Part.HTML), None)

    for text, body in zip(texts, _bodies(made, sent), strict=True):
        decoded = _decoded(text, body)
        assert _alone(text, has_pixel=text is html) == decoded
        unpixelled = _PIXEL.sub("", decoded)
        assert text.marked == _LINK.sub("⟦⟧", unpixelled)


@given(some.messages())
def test_same_structure(made: Made) -> None:
    """A mail client sees the same entities with the same headers as before."""
    before, after = (message_from_bytes(raw) for raw in (made.raw, _track(made.raw)))

    assert _skeleton(before) == _skeleton(after)


def _skeleton(message: Message) -> list[object]:
    """Give the headers of all entities, and what their parser found odd."""
    return [
        (each.items(), each.is_multipart(), [type(defect) for defect in each.defects])
        for each in message.walk()
    ]


@given(some.messages())
def test_lines_fit(made: Made) -> None:
    """No line grows beyond what SMTP can carry (RFC 5322 §2.1.1), and all end as they did before.

    Killed mutant: line ends of mail in a message that has those of this machine.
    """
    before, after = made.raw, _track(made.raw)

    assert _longest(after) <= max(_longest(before), 998)
    assert b"\r" in before or b"\r" not in after


def _longest(raw: bytes) -> int:
    return max(len(line) for line in re.split(rb"\r?\n", raw))
