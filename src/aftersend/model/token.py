"""Tracking tokens: the text that every tracked link and open pixel carries.

Layout, then lower-case base32 (RFC 4648 alphabet, no padding)::

    version << 4 | part   u8       version 1; part code of `enumeration.Part`
    key id                u8       which key of the ring signed it, 1 to 255
    delivery id           LEB128   unsigned, below 2**63
    message id            LEB128
    url id                LEB128
    count of values       LEB128   0 to 64
    each value            LEB128 length + UTF-8
    tag                   8 bytes  keyed BLAKE2b over all that precedes, person "aftersend-token"

Invariants:

- One token has one spelling: LEB128 is minimal, the unused bits of the last character are 0.
  Upper case is understood, because mail clients exist that change case, and means the same.
- No character that a mail gateway escapes; no query string; the destination is not inside.
- A key is never taken out of the ring: mail already sent must still click in ten years.

Source: architecture D2; RFC 4648 §6; RFC 7693.
"""

from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from aftersend.errors import InvalidToken
from aftersend.model.enumeration import Part
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, UrlId

__all__ = [
    "TEXT_LENGTH_MAX",
    "VALUES_MAX",
    "KeyRing",
    "Token",
    "decode",
    "encode",
    "encode_message",
    "frame",
    "inspect",
    "unpack",
]

TEXT_LENGTH_MAX: Final = 8192
VALUES_MAX: Final = 64

_VERSION: Final = 1
_TAG_BYTES: Final = 8
_PERSON: Final = b"aftersend-token"
_TEXT_LENGTH_MIN: Final = 22
# Python reads base 32 with other digits than RFC 4648, and ``!`` not at all.
_DIGITS: Final = bytes.maketrans(
    bytes(range(256)),
    b"!" * 50
    + b"qrstuv"  # 2 to 7
    + b"!" * 9
    + b"0123456789abcdefghijklmnop"  # A to Z
    + b"!" * 6
    + b"0123456789abcdefghijklmnop"  # a to z
    + b"!" * 133,
)
_PART_OF_HEAD: Final = {_VERSION << 4 | part.code: part for part in Part}
_CODE_OF_PART: Final = {part: part.code for part in Part}
_SPARE_BITS: Final = (0, None, 2, None, 4, 1, None, 3)  # by length modulo 8; others cannot be
_NUMBER_BYTES_MAX: Final = 9  # groups of seven bits: below 2**63
_NO_VALUES: Final[tuple[str, ...]] = ()
_CHARACTERS: Final = b"abcdefghijklmnopqrstuvwxyz234567" * 8
_LANES_MAX: Final = 1024
_HALVES: Final = tuple(
    (int(high * _LANES_MAX, 16), int(low * _LANES_MAX, 16), distance)
    for high, low, distance in (
        ("000000fffff00000", "00000000000fffff", 12),
        ("000ffc00000ffc00", "000003ff000003ff", 6),
        ("03e003e003e003e0", "001f001f001f001f", 3),
    )
)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an instance: new tokens use the newest, old ones verify for ever.

    Limits: ids 1 to 255, secrets 16 to 64 bytes.
    """

    secrets: Mapping[int, bytes] = field(repr=False)
    seals: Mapping[int, blake2b] = field(init=False, repr=False, compare=False)
    """Hashes to copy that have taken their key in: half the cost of keying a new one."""

    def __post_init__(self) -> None:
        assert self.secrets, "settings admit no empty ring"
        for key_id, secret in self.secrets.items():
            assert 1 <= key_id <= 255, "settings admit no other key id"
            assert 16 <= len(secret) <= 64, "settings admit no other secret"
        seals = {
            key_id: blake2b(key=secret, digest_size=_TAG_BYTES, person=_PERSON)
            for key_id, secret in self.secrets.items()
        }
        object.__setattr__(self, "seals", seals)

    def __reduce__(self) -> tuple[type["KeyRing"], tuple[dict[int, bytes]]]:
        return KeyRing, (dict(self.secrets),)  # a begun hash cannot travel between processes

    @property
    def newest(self) -> int:
        """Give the id of the key that new tokens use."""
        return max(self.secrets)


@dataclass(frozen=True, slots=True)
class Token:
    """One link of one message; `url_id` 1 is the open pixel, 0 no tracked link at all."""

    part: Part
    delivery_id: DeliveryId
    message_id: MessageId
    url_id: UrlId
    values: tuple[str, ...] = ()


def encode(token: Token, *, keys: KeyRing) -> str:
    """Spell a token, signed with the newest key.

    Raises:
        InvalidToken: the text would be longer than `TEXT_LENGTH_MAX`, or there are too many values.

    >>> ring = KeyRing({1: bytes(16)})
    >>> encode(Token(Part.HTML, DeliveryId(7), MessageId(300), UrlId(2)), keys=ring)
    'ceaqplacaiaerszvilfssyff'
    """
    key_id = keys.newest
    before, behind = frame(token.part, token.url_id, token.values)
    body = bytearray(before)
    body.append(key_id)
    _append_number(body, token.delivery_id)
    _append_number(body, token.message_id)
    body += behind
    tag = keys.seals[key_id].copy()
    tag.update(body)
    return _base32(body + tag.digest())


def frame(part: Part, url_id: UrlId, values: Sequence[str] = ()) -> tuple[bytes, bytes]:
    """Spell what stands before and behind the key, delivery and message of a token.

    Raises:
        InvalidToken: there are too many values, or one is not text that UTF-8 can spell.
    """
    if len(values) > VALUES_MAX:
        raise InvalidToken("values")
    behind = bytearray()
    _append_number(behind, url_id)
    _append_number(behind, len(values))
    for value in values:
        try:
            raw = value.encode()
        except UnicodeEncodeError as error:
            raise InvalidToken("values") from error
        _append_number(behind, len(raw))
        behind += raw
    return bytes((_VERSION << 4 | _CODE_OF_PART[part],)), bytes(behind)


def encode_message(
    frames: Sequence[tuple[bytes, bytes]],
    *,
    delivery_id: DeliveryId,
    message_id: MessageId,
    keys: KeyRing,
) -> list[str]:
    """Spell all tokens of one message: what `encode` gives for each, at a fraction of its time.

    The `frame` of a link without values is the same in every message of a delivery.

    Raises:
        InvalidToken: a text would be longer than `TEXT_LENGTH_MAX`.

    >>> encode_message(
    ...     [frame(Part.HTML, UrlId(2))],
    ...     delivery_id=DeliveryId(7), message_id=MessageId(300), keys=KeyRing({1: bytes(16)})
    ... )
    ['ceaqplacaiaerszvilfssyff']
    """
    key_id = keys.newest
    keyed = keys.seals[key_id]
    ids = bytearray((key_id,))
    _append_number(ids, delivery_id)
    _append_number(ids, message_id)
    middle = bytes(ids)
    raws = []
    for before, behind in frames:
        body = before + middle + behind
        tag = keyed.copy()
        tag.update(body)
        raws.append(body + tag.digest())
    return _base32_of_all(raws)


def decode(text: str, *, keys: KeyRing) -> Token:
    """Read back what `encode` spelled.

    Raises:
        InvalidToken: `text` is misshapen, forged, of another version or of an unknown key.
    """
    token, is_verified = inspect(text, keys=keys)
    if not is_verified:
        raise InvalidToken("tag")
    return token


def inspect(text: str, *, keys: KeyRing) -> tuple[Token, bool]:
    """Read a token and tell whether one of our keys signed it.

    An unverified token may name a link that exists: its stored destination may be served, its
    values may not be used and its hit is never counted (architecture D2).

    Raises:
        InvalidToken: `text` has not the shape of a token.
    """
    part, delivery_id, message_id, url_id, values, is_verified = unpack(text, keys=keys)
    return (
        Token(part, DeliveryId(delivery_id), MessageId(message_id), UrlId(url_id), values),
        is_verified,
    )


def unpack(text: str, *, keys: KeyRing) -> tuple[Part, int, int, int, tuple[str, ...], bool]:
    """Do what `inspect` does without making a `Token`: a click has no time to lose.

    Shape: part, delivery id, message id, url id, values, whether one of our keys signed it.

    Raises:
        InvalidToken: `text` has not the shape of a token.
    """
    length = len(text)
    spare = _SPARE_BITS[length % 8]
    if spare is None or not _TEXT_LENGTH_MIN <= length <= TEXT_LENGTH_MAX:
        raise InvalidToken("shape")
    try:
        number = int(text.encode("ascii").translate(_DIGITS), 32)  # one call in C
    except ValueError:
        raise InvalidToken("shape") from None
    if number & ((1 << spare) - 1):
        raise InvalidToken("shape")
    raw = (number >> spare).to_bytes(length * 5 // 8, "big")
    body = raw[:-_TAG_BYTES]
    part = _PART_OF_HEAD.get(body[0])
    if part is None:
        raise InvalidToken("part" if body[0] >> 4 == _VERSION else "version")
    try:
        # Most numbers are of one byte; asking here costs less than calling.
        delivery_id, at = body[2], 3
        if delivery_id > 127:
            delivery_id, at = _number(body, 2)
        message_id = body[at]
        if message_id > 127:
            message_id, at = _number(body, at)
        else:
            at += 1
        url_id, count = body[at], body[at + 1]
        if url_id > 127 or count > 127:
            url_id, at = _number(body, at)
            count, at = _number(body, at)
        else:
            at += 2
        values = _NO_VALUES
        if count:
            values, at = _values(body, count, at)
    except IndexError:
        raise InvalidToken("number") from None
    if at != len(body):
        raise InvalidToken("length")
    seal = keys.seals.get(body[1])
    if seal is None:
        return part, delivery_id, message_id, url_id, values, False
    tag = seal.copy()
    tag.update(body)
    is_verified = compare_digest(tag.digest(), raw[-_TAG_BYTES:])
    return part, delivery_id, message_id, url_id, values, is_verified


def _base32(raw: bytes | bytearray) -> str:
    text = b32encode(raw).rstrip(b"=").lower().decode("ascii")
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidToken("length")
    return text


def _base32_of_all(raws: Sequence[bytes]) -> list[str]:
    """Spell each of `raws` at once where they are short: calls cost more than their work.

    Every 5 bytes become a lane of 8 inside one large number; three times each half of a lane moves
    to its place, until each byte holds the 5 bits of one character.
    """
    if not raws:
        return []
    lanes_each = -(-max(map(len, raws)) // 5)
    if lanes_each * len(raws) > _LANES_MAX:
        return [_base32(raw) for raw in raws]
    width = 5 * lanes_each
    joined = b"".join([raw.ljust(width, b"\0") for raw in raws])
    lanes = bytearray(lanes_each * len(raws) * 8)
    for index in range(5):
        lanes[index + 3 :: 8] = joined[index::5]
    number = int.from_bytes(lanes, "big")
    for high, low, distance in _HALVES:
        number = (number & high) << distance | number & low
    text = number.to_bytes(len(lanes), "big").translate(_CHARACTERS).decode("ascii")
    width = 8 * lanes_each
    return [
        text[start : start + (len(raw) * 8 + 4) // 5]
        for start, raw in zip(range(0, len(text), width), raws, strict=True)
    ]


def _append_number(body: bytearray, number: int) -> None:
    assert 0 <= number <= ID_MAX, "ids are checked where they enter"
    while number > 127:
        body.append(number & 127 | 128)
        number >>= 7
    body.append(number)


def _number(body: bytes, at: int) -> tuple[int, int]:
    """Read one minimal LEB128 number at `at`; give it and the place behind it.

    Raises:
        IndexError: the body ends within it.
    """
    number = body[at]
    if number < 128:
        return number, at + 1
    number &= 127
    shift = 0
    for byte in body[at + 1 : at + _NUMBER_BYTES_MAX]:
        shift += 7
        if byte > 127:
            number |= (byte & 127) << shift
        elif byte:
            return number | byte << shift, at + 1 + shift // 7
        else:
            break
    raise InvalidToken("number")


def _values(body: bytes, count: int, at: int) -> tuple[tuple[str, ...], int]:
    if count > VALUES_MAX:
        raise InvalidToken("values")
    values = []
    for _ in range(count):
        length, at = _number(body, at)
        if at + length > len(body):
            raise InvalidToken("length")
        try:
            values.append(body[at : at + length].decode())
        except UnicodeDecodeError as error:
            raise InvalidToken("values") from error
        at += length
    return tuple(values), at
