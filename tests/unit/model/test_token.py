"""Tokens: mail already sent must still click in ten years."""

import pickle
from base64 import b32decode, b32encode
from hashlib import blake2b

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.errors import InvalidToken
from aftersend.model import token
from aftersend.model.enumeration import Part
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token

OLD = KeyRing({1: bytes(range(16))})
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
RING = KeyRing({1: bytes(range(16)), 7: bytes(range(32))})

# What stands in mail that was sent; these lines may only grow.
SENT = {
    "ceaqplacaiainxf4cgmz5o7a": Token(Part.HTML, DeliveryId(7), MessageId(300), UrlId(2)),
    "cedqplacaiaidyljcutbffwt": Token(Part.HTML, DeliveryId(7), MessageId(300), UrlId(2)),
    "cia7777777777777p77777777777773777777777777767ybac35rrp62koqx3i": Token(
        Part.TEXT, DeliveryId(ID_MAX), MessageId(ID_MAX), UrlId(ID_MAX), ("",)
    ),
    "cydqaaaaaicfu36dvmcwcidcezrwpuuydyojc7qd": Token(
        Part.LINE, DeliveryId(0), MessageId(0), UrlId(0), ("Zoë", "a b&c")
    ),
}

ids = st.integers(0, ID_MAX)
tokens = st.builds(
    Token,
    part=st.sampled_from(Part),
    delivery_id=ids.map(DeliveryId),
    message_id=ids.map(MessageId),
    url_id=ids.map(UrlId),
    values=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5).map(
        tuple
    ),
)


def _sign(body: bytes) -> str:
    """Spell any body with a tag that is ours."""
    tag = blake2b(body, key=bytes(range(32)), digest_size=8, person=b"aftersend-token").digest()
    return b32encode(body + tag).rstrip(b"=").decode().lower()


@pytest.mark.parametrize(("text", "expected"), SENT.items())
def test_the_text_of_mail_already_sent_is_read(text: str, expected: Token) -> None:
    """Every token that ever left us verifies and says what it said."""
    assert expected == token.decode(text, keys=RING)


def test_the_newest_key_signs() -> None:
    """A ring spells with its highest key, so that an old one may retire from signing."""
    first = Token(Part.HTML, DeliveryId(7), MessageId(300), UrlId(2))

    assert token.encode(first, keys=OLD) == "ceaqplacaiainxf4cgmz5o7a"
    assert token.encode(first, keys=RING) == "cedqplacaiaidyljcutbffwt"


@given(tokens)
def test_decode_inverts_encode(given_token: Token) -> None:
    """What was spelled is read back; killed: LEB128 that stops after eight bytes."""
    text = token.encode(given_token, keys=RING)

    assert token.decode(text, keys=RING) == given_token
    assert token.decode(text.upper(), keys=RING) == given_token
    assert token.encode(token.decode(text, keys=RING), keys=RING) == text


@given(tokens, st.integers(1, 31))
@example(Token(Part.HTML, DeliveryId(7), MessageId(300), UrlId(2), ("ab",)), 1)
def test_a_changed_character_is_noticed(given_token: Token, distance: int) -> None:
    """Nobody alters a token unnoticed, wherever; killed: a tag without the body's last byte."""
    text = token.encode(given_token, keys=RING)
    for index, character in enumerate(text):
        other = ALPHABET[(ALPHABET.index(character) + distance) % 32]

        with pytest.raises(InvalidToken):
            token.decode(text[:index] + other + text[index + 1 :], keys=RING)


@given(st.text(ALPHABET, min_size=20, max_size=80))
@example("cea5ecn75dnaitiarj4ipjcf43jsf")  # the last bit of the last character is no data
def test_a_token_has_one_spelling(text: str) -> None:
    """Whatever is read would be spelled the same; killed: unused bits that may be set."""
    try:
        found, _ = token.inspect(text, keys=RING)
    except InvalidToken:
        return
    raw = b32decode(text.upper() + "=" * (-len(text) % 8))
    spelled = token.encode(found, keys=KeyRing({raw[1] or 1: bytes(16)}))

    assert b32decode(spelled.upper() + "=" * (-len(spelled) % 8))[2:-8] == raw[2:-8]
    assert b32encode(raw).rstrip(b"=").decode().lower() == text


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.decode("latin1")))
)
@example("\N{KELVIN SIGN}" * 24)
@example("ceaqplacaiainxf4cgmz5o7a\n")
@example("é" * 32)
@example("a" * 100_000)
@example("aa")
@example("a" * 16)
def test_foreign_text_is_refused_with_our_error_only(text: str) -> None:
    """No text makes another error than ours; killed: a shape without a least length."""
    with pytest.raises(InvalidToken):
        token.decode(text, keys=RING)


@given(st.binary(min_size=1, max_size=60))
@example(bytes((0x11, 7)) + b"\xff" * 4000)
@example(bytes((0x11, 7)) + b"\x01\x01\x01\x41")
@example(bytes((0x11, 7)) + b"\x01\x01\x01\x01\x7f")
@example(bytes((0x11, 7)) + b"\x01\x01\x01\x01\x02\xff\xfe")
@example(bytes((0x11, 7)) + b"\x80\x00\x01\x01\x00")
@example(bytes((0x11, 7)) + b"\xff" * 9 + b"\x01\x01\x01\x00")
@example(bytes((0x11, 7)) + b"\x01\x01\x01\x00\x00")
def test_bytes_that_we_never_laid_out_are_refused_though_signed(body: bytes) -> None:
    """A body is read only in its one layout; killed: numbers that may be padded with zeros."""
    try:
        found = token.decode(_sign(body), keys=RING)
    except InvalidToken:
        return

    assert token.encode(found, keys=KeyRing({7: bytes(range(32))})) == _sign(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x21\x07\x01\x01\x01\x00", "version"),
        (b"\x17\x07\x01\x01\x01\x00", "part"),
        (b"\x10\x07\x01\x01\x01\x00", "part"),
        (b"\x11\x07\x01\x01\x01\x80\x00", "number"),
        (b"\x11\x07\x01\x01\x01\x00\x00", "length"),
        (b"\x11\x07\x01\x01\x01\x01\x05ab", "length"),
        (b"\x11\x07\x01\x01\x01\x01\x01\xff", "values"),
        (b"\x11\x07\x01\x01\x01\x41", "values"),
        (b"\x11\x09\x01\x01\x01\x00", "tag"),
    ],
)
def test_a_refusal_says_why(body: bytes, reason: str) -> None:
    """The reason is a word that can be counted by."""
    with pytest.raises(InvalidToken) as caught:
        token.decode(_sign(body), keys=RING)

    assert reason == caught.value.reason


def test_a_bad_tag_still_names_its_link() -> None:
    """An unverified token can be inspected, so that people arrive; it cannot be decoded."""
    text = token.encode(Token(Part.HTML, DeliveryId(7), MessageId(3), UrlId(2)), keys=RING)
    stranger = KeyRing({7: bytes(range(1, 33))})

    found, is_verified = token.inspect(text, keys=stranger)

    assert (found.delivery_id, found.message_id, found.url_id, is_verified) == (7, 3, 2, False)
    with pytest.raises(InvalidToken, match="tag"):
        token.decode(text, keys=stranger)


@pytest.mark.parametrize(
    ("values", "reason"),
    [(("x" * 6000,), "length"), (("",) * 65, "values"), (("\ud800",), "values")],
)
def test_values_that_fit_no_token_are_refused(values: tuple[str, ...], reason: str) -> None:
    """Too many, too long, or no text at all: our error, before anything is sent."""
    first = Token(Part.HTML, DeliveryId(1), MessageId(1), UrlId(2), values)

    with pytest.raises(InvalidToken) as caught:
        token.encode(first, keys=RING)

    assert reason == caught.value.reason


def test_a_key_ring_travels_but_tells_nothing() -> None:
    """A ring can be handed to another process, and no log line shows a secret of it."""
    again = pickle.loads(pickle.dumps(RING))

    assert again == RING
    assert token.decode("cedqplacaiaidyljcutbffwt", keys=again).message_id == 300
    assert "secrets" not in repr(RING)
    assert "x03" not in repr(RING)
