"""Rules about the tracking servers that links lead to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aftersend.content import Addresses
from aftersend.database.public_addresses import PublicAddress
from aftersend.database.tracking_servers import TrackingServer
from aftersend.model.ids import ServerId
from tests.support.post_office import ADDRESSES, NOW, VERIFIED
from tests.support.typology import prepared, told

RULE = "tracking-server"
TWO = TrackingServer(ServerId("2"), "http://two.internal:8081", NOW)


def _checked(days_ago: int) -> PublicAddress:
    at = NOW - timedelta(days=days_ago)
    return replace(VERIFIED, checked_at=at, verified_at=at)


def test_an_address_that_nobody_looked_at_is_told() -> None:
    """Whether links work at all is known only when somebody has tried."""
    (text,) = told(prepared(public_address=None), RULE)

    assert text == (
        f"Nobody has looked yet whether {ADDRESSES.redirect} leads to our tracking servers:"
        " `aftersend tracking server verify`."
    )


def test_an_address_that_led_elsewhere_is_told_with_the_reason() -> None:
    """The sentence of the last look is in it, and its day."""
    wrong = replace(VERIFIED, verified_at=None, problem="Its certificate has expired: renew it.")

    (text,) = told(prepared(public_address=wrong), RULE)

    assert "did not lead to our tracking servers on 2026-03-02: Its certificate has" in text


@pytest.mark.parametrize(("days", "count"), [(0, 0), (30, 0), (31, 1)])
def test_a_look_grows_old(days: int, count: int) -> None:
    """After a month certificates, names and proxies may have changed."""
    found = told(prepared(public_address=_checked(days)), RULE)

    assert len(found) == count
    assert all(f"was last looked at {days} days ago" in text for text in found)


@pytest.mark.parametrize(
    "redirect", ["http://127.0.0.1:8081", "http://localhost:8081", "http://192.168.1.4"]
)
def test_a_trial_is_not_nagged(redirect: str) -> None:
    """There is no public address yet, which another rule tells."""
    local = Addresses(redirect, "http://127.0.0.1:8080")

    assert [] == told(prepared(addresses=local, public_address=None), RULE)


def test_servers_with_a_problem_are_told() -> None:
    """Each with its own reason; those that are well are not mentioned."""
    silent = replace(TWO, id=ServerId("3"), problem="http://x does not answer: refused.")
    unknown = replace(TWO, id=ServerId("4"), registered_at=None)

    assert [
        "Tracking server 3: http://x does not answer: refused.",
        "Tracking server 4: it was never contacted; `aftersend tracking server verify` does.",
    ] == told(prepared(servers=(TWO, silent, unknown)), RULE)


def test_a_delivery_without_tracking_needs_no_server() -> None:
    """Its links lead where they say."""
    silent = replace(TWO, problem="It does not answer.")

    assert [] == told(prepared(is_tracked=False, public_address=None, servers=(silent,)), RULE)
