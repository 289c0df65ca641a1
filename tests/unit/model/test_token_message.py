"""All tokens of one message at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.errors import InvalidToken
from aftersend.model.enumeration import Part
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, UrlId
from aftersend.model.token import (
    TEXT_LENGTH_MAX,
    KeyRing,
    Token,
    decode,
    encode,
    encode_message,
    frame,
)

_KEYS = KeyRing({1: bytes(16), 7: bytes(range(32))})
_IDS = st.integers(0, ID_MAX)
_LINKS = st.tuples(
    st.sampled_from(Part), _IDS.map(UrlId), st.lists(st.text(max_size=40), max_size=4).map(tuple)
)


def _both(
    links: list[tuple[Part, UrlId, tuple[str, ...]]], delivery: int, message: int
) -> tuple[list[str], list[str]]:
    delivery_id, message_id = DeliveryId(delivery), MessageId(message)
    single = [
        encode(Token(part, delivery_id, message_id, url_id, values), keys=_KEYS)
        for part, url_id, values in links
    ]
    together = encode_message(
        [frame(*link) for link in links], delivery_id=delivery_id, message_id=message_id, keys=_KEYS
    )
    return single, together


@given(st.lists(_LINKS, max_size=12), _IDS, _IDS)
def test_together_is_one_by_one(
    links: list[tuple[Part, UrlId, tuple[str, ...]]], delivery: int, message: int
) -> None:
    """Tokens spelled together are the tokens spelled one by one.

    Killed mutants: the last character of a token cut off; the middle mask shifted by 5 instead of
    6 bits; the key id taken from the oldest key.
    """
    single, together = _both(links, delivery, message)

    assert single == together


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 1025])
def test_any_count(count: int) -> None:
    """A message may have no link, or more than are spelled in one number."""
    single, together = _both([(Part.HTML, UrlId(n), ()) for n in range(count)], 7, 300)

    assert single == together


def test_longest() -> None:
    """A token of the greatest length is spelled, one more byte is refused."""
    length = TEXT_LENGTH_MAX * 5 // 8 - 8 - 2 - 1 - 1 - 1 - 1 - 2
    _, together = _both([(Part.TEXT, UrlId(2), ("v" * length,))], 7, 3)

    assert ("v" * length,) == decode(together[0], keys=_KEYS).values
    with pytest.raises(InvalidToken) as caught:
        _both([(Part.TEXT, UrlId(2), ("v" * (length + 1),))], 7, 3)
    assert caught.value.reason == "length"


def test_too_many_values() -> None:
    """A frame holds no more values than a token does."""
    with pytest.raises(InvalidToken) as caught:
        frame(Part.HTML, UrlId(2), ("",) * 65)

    assert caught.value.reason == "values"
