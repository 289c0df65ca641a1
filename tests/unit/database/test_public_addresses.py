"""What is kept of public addresses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aftersend.database import public_addresses
from aftersend.database.engine import Database
from aftersend.database.public_addresses import PublicAddress
from aftersend.model.ids import ServerId

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FOUND = PublicAddress("https://t.example", NOW, NOW, (ServerId("1"), ServerId("z")), "Soon over.")


def test_what_was_found_is_kept_by_address(lamps: Database) -> None:
    """Each address has one row, the latest."""
    other = replace(FOUND, url="https://u.example", verified_at=None, servers=())
    with lamps.write() as connection:
        for found in (FOUND, other, replace(FOUND, problem="")):
            public_addresses.note(connection, found)

    with lamps.read() as connection:
        known = public_addresses.every(connection)
    assert {FOUND.url: replace(FOUND, problem=""), other.url: other} == known


@pytest.mark.parametrize(("is_ok", "expected"), [(True, True), (False, False)])
def test_a_failure_is_told_from_a_success(lamps: Database, is_ok: bool, expected: bool) -> None:
    """A failure leaves the moment of the last success, and is none."""
    later = NOW + timedelta(hours=1)
    with lamps.write() as connection:
        public_addresses.note(connection, FOUND)
        second = replace(FOUND, checked_at=later, verified_at=later if is_ok else None)
        public_addresses.note(connection, second)

    with lamps.read() as connection:
        known = public_addresses.every(connection)[FOUND.url]
    assert expected is known.is_verified
    assert (later, later if is_ok else NOW) == (known.checked_at, known.verified_at)
