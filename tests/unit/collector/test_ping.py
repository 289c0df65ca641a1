"""The signed ping."""

import pytest

from aftersend.collector.ping import is_signed, signature
from aftersend.model.ids import ServerId
from aftersend.model.token import KeyRing
from tests.support.tracking_server import KEYS, Tracker

NONCE = "0123456789abcdef"
ONE = ServerId("1")


def test_a_server_signs_what_it_is_asked(tracker: Tracker) -> None:
    """Its id and the nonce come back, signed with the newest key; nothing is logged."""
    answer = tracker.get(f"/r/ping/{NONCE}")
    document = answer.json()

    assert answer.status_code == 200
    assert {"server": "1", "nonce": NONCE, "signature": signature(ONE, NONCE, KEYS.secrets[2])} == (
        document
    )
    assert answer.headers["cache-control"] == "no-store"
    assert [] == tracker.lines


@pytest.mark.parametrize(
    "nonce",
    ["", "short", "0123456789abcde", "a" * 65, "0123456789ABCDEF", f"{NONCE}/", f"{NONCE}%0a"],
)
def test_other_nonces_are_no_ping(tracker: Tracker, nonce: str) -> None:
    """They are not found, like any address that is not ours."""
    assert tracker.get(f"/r/ping/{nonce}").status_code == 404


def test_a_signature_is_of_one_server_one_nonce_and_one_ring() -> None:
    """Nothing of it can be changed; an older key of the ring is good, too."""
    older = signature(ONE, NONCE, KEYS.secrets[1])
    stranger = KeyRing({1: bytes(32)})

    assert is_signed(ONE, NONCE, older, keys=KEYS)
    assert not is_signed(ServerId("2"), NONCE, older, keys=KEYS)
    assert not is_signed(ONE, NONCE[:-1] + "0", older, keys=KEYS)
    assert not is_signed(ONE, NONCE, older, keys=stranger)
    assert not is_signed(ONE, NONCE, older[:-1], keys=KEYS)
    assert not is_signed(ONE, NONCE, "ü" * 64, keys=KEYS)
    assert not is_signed(ONE, NONCE, "\ud800" * 64, keys=KEYS)
    assert not is_signed(ONE, NONCE, "", keys=KEYS)
