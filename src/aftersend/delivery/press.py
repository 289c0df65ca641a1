"""The message of a delivery, ready to be printed for one recipient after the other.

Everything that two recipients share is encoded once: the literals of both parts and the headers
of the delivery. What is left for each is to write the values and tokens, to encode them and to
join. A recipient who wants text gets the text part alone, everybody else both, the best last
(RFC 2046 §5.1.4).

A message has the same Message-ID however often it is sent, so that a server that got it twice can
see it. `List-Unsubscribe` works with one click (RFC 8058).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import Final

from aftersend.content import Template
from aftersend.content.sheet import Sheet
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Addressee
from aftersend.database.seeds import Seed
from aftersend.delivery import address
from aftersend.delivery.conversation import Letter
from aftersend.delivery.mime import SOFT_BREAK, header_line, mailbox_line, quote
from aftersend.model.enumeration import Part
from aftersend.model.ids import NO_URL_ID, MessageId
from aftersend.model.token import KeyRing, Token, encode

__all__ = ["FIELDS", "Press", "StandIn", "build", "values_of"]

FIELDS: Final = frozenset(("email", "first_name", "last_name", "format", "firstName", "lastName"))
"""What every recipient has; the names with capitals are those of the field (spec §3.3)."""

_SUBTYPES: Final = {Part.TEXT: "plain", Part.HTML: "html"}


@dataclass(frozen=True, slots=True)
class StandIn:
    """Somebody whose fields fill the gaps of seed addresses (spec §3.14)."""

    first_name: str = ""
    last_name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Galley:
    """A body with slots, encoded: filling n of the message goes to each (place, n).

    A part whose script says what is written goes as a whole to the place of its `passage`.
    """

    head: bytes
    literals: tuple[bytes, ...]
    slots: tuple[tuple[int, int], ...]
    passages: tuple["_Passage", ...] = ()

    def fill(
        self,
        head: bytes,
        fillings: Sequence[bytes],
        orders: Mapping[Part | None, Sequence[int]],
    ) -> bytes:
        texts = [head, self.head, *self.literals]
        for place, index in self.slots:
            texts[place + 2] = fillings[index]
        for passage in self.passages:
            texts[passage.place + 2] = passage.fill(fillings, orders[passage.part])
        return b"".join(texts)


@dataclass(frozen=True, slots=True)
class _Passage:
    """A scripted part with its own literals; `is_whole` when nothing follows it."""

    place: int
    part: Part
    literals: tuple[bytes, ...]
    is_whole: bool

    def fill(self, fillings: Sequence[bytes], order: Sequence[int]) -> bytes:
        literals = self.literals
        text = b"".join([literals[n] if n >= 0 else fillings[~n] for n in order])
        text = _ended(text)
        return text + _last_line_end(text) if self.is_whole else text


@dataclass(frozen=True, slots=True)
class Press:
    """Prints letters; made by `build`."""

    delivery: Delivery
    template: Template
    keys: KeyRing
    app_url: str
    message_id_domain: str
    seeds: Mapping[str, Seed]
    stand_in: StandIn
    _sender: str
    _from: bytes
    _both: _Galley
    _text: _Galley
    _subject: bytes | None

    def letter(self, addressee: Addressee, *, at: datetime) -> Letter:
        """Print the message to one address, headers and all, ready for SMTP.

        Raises:
            InvalidContent: a script fails for this recipient, or the values make a link too long.
        """
        name, values = self.person(addressee)
        fillings, orders = self.template.fillings(
            values, message_id=addressee.id, keys=self.keys, at=at
        )
        subject = self._subject or header_line(
            "Subject", self.template.subject.fill(fillings, orders.get(None, ()))
        )
        sent_to = address.as_sent(addressee.address)
        head = b"".join(
            (
                f"Message-ID: <{self._message_id(addressee.id)}>\r\n"
                f"Date: {format_datetime(at)}\r\n".encode("ascii"),
                self._from,
                mailbox_line("To", name, sent_to),
                subject,
                self._unsubscription(addressee.id),
            )
        )
        galley = self._text if addressee.is_text else self._both
        data = galley.fill(head, [quote(each) for each in fillings], orders)
        return Letter(self._sender, sent_to, data)

    def person(self, addressee: Addressee) -> tuple[str, Mapping[str, object]]:
        """Give the name to write on the envelope and the fields the message may name."""
        if not addressee.is_seed:
            return f"{addressee.first_name} {addressee.last_name}", values_of(addressee)
        seed = self.seeds.get(addressee.address, Seed(addressee.address))
        first = seed.first_name or self.stand_in.first_name
        last = seed.last_name or self.stand_in.last_name
        values = _values(addressee, first, last, self.stand_in.fields)
        return f"{seed.first_name} {seed.last_name}", values

    def _message_id(self, message_id: MessageId) -> str:
        # The oldest key is never taken away, so the name of a message never changes.
        secret = self.keys.secrets[min(self.keys.secrets)]
        name = f"{message_id}.{self.delivery.id}"
        mark = blake2b(name.encode(), key=secret, digest_size=8, person=b"message-id").hexdigest()
        return f"{name}.{mark}@{self.message_id_domain}"

    def _unsubscription(self, message_id: MessageId) -> bytes:
        token = encode(Token(Part.HTML, self.delivery.id, message_id, NO_URL_ID), keys=self.keys)
        return (
            f"List-Unsubscribe: <{self.app_url}/u/{token}>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        ).encode()


def values_of(addressee: Addressee) -> dict[str, object]:
    """Give the fields of a recipient that a message may name; see `FIELDS`."""
    return _values(addressee, addressee.first_name, addressee.last_name, addressee.fields)


def build(
    delivery: Delivery,
    template: Template,
    *,
    keys: KeyRing,
    app_url: str,
    message_id_domain: str | None = None,
    seeds: Sequence[Seed] = (),
    stand_in: StandIn | None = None,
) -> Press:
    """Encode what all messages of a delivery share."""
    name, sender = address.read_sender(delivery.sender)
    sender = address.as_sent(sender)
    text, html = template.parts.get(Part.TEXT), template.parts.get(Part.HTML)
    parts = [
        (part, sheet) for part, sheet in ((Part.TEXT, text), (Part.HTML, html)) if sheet is not None
    ]
    subject = template.subject
    return Press(
        delivery=delivery,
        template=template,
        keys=keys,
        app_url=app_url,
        message_id_domain=message_id_domain or address.domain_of(sender),
        seeds={seed.email: seed for seed in seeds},
        stand_in=stand_in or StandIn(),
        _sender=sender,
        _from=mailbox_line("From", name, sender),
        _both=_multipart(delivery, parts) if len(parts) > 1 else _single(*parts[0]),
        _text=_single(*parts[0]),
        _subject=header_line("Subject", "".join(subject.literals)) if subject.is_fixed else None,
    )


def _single(part: Part, sheet: Sheet) -> _Galley:
    head = b"MIME-Version: 1.0\r\n" + _part_head(part) + b"\r\n"
    literals = _quoted(sheet)
    if sheet.stretches is not None:
        return _Galley(head, (b"",), (), (_Passage(0, part, literals, is_whole=True),))
    # A message ends at the end of a line.
    return _Galley(head, (*literals, _last_line_end(literals[-1])), sheet.slots)


def _multipart(delivery: Delivery, parts: Sequence[tuple[Part, Sheet]]) -> _Galley:
    # Quoted-printable never holds `=_`, so no body can hold the boundary.
    boundary = f"=_aftersend_{delivery.id}"
    head = (
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n'
    ).encode()
    literals: list[bytes] = []
    slots: list[tuple[int, int]] = []
    passages: list[_Passage] = []
    for part, sheet in parts:
        literals.append(f"\r\n--{boundary}\r\n".encode() + _part_head(part) + b"\r\n")
        own = _quoted(sheet)
        if sheet.stretches is not None:
            passages.append(_Passage(len(literals), part, own, is_whole=False))
            literals.append(b"")
            continue
        slots += ((place + len(literals), index) for place, index in sheet.slots)
        literals += own
    literals.append(f"\r\n--{boundary}--\r\n".encode())
    return _Galley(head, tuple(literals), tuple(slots), tuple(passages))


def _part_head(part: Part) -> bytes:
    return (
        f"Content-Type: text/{_SUBTYPES[part]}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
    ).encode()


def _quoted(sheet: Sheet) -> tuple[bytes, ...]:
    literals = [quote(literal) for literal in sheet.literals]
    if sheet.stretches is None:
        literals[-1] = _ended(literals[-1])
    return tuple(literals)


def _ended(text: bytes) -> bytes:
    """Let a part not end in a soft line break, but for one that keeps a space."""
    shorter = text.removesuffix(SOFT_BREAK)
    return text if shorter.endswith((b" ", b"\t")) else shorter


def _last_line_end(text: bytes) -> bytes:
    return b"" if text.endswith(b"\r\n") and not text.endswith(SOFT_BREAK) else b"\r\n"


def _values(
    addressee: Addressee, first_name: str, last_name: str, fields: Mapping[str, str]
) -> dict[str, object]:
    return {
        **fields,
        "email": addressee.address,
        "first_name": first_name,
        "last_name": last_name,
        "firstName": first_name,
        "lastName": last_name,
        "format": addressee.format.slug,
    }
