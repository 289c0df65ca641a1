"""Who is asking."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.collector.client import Proxies, peer_of, user_agent_of


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.1:54321", "192.0.2.1"),
        ("[2001:db8::1]:54321", "2001:db8::1"),
        ("[::1]:1", "::1"),
        ("[::ffff:192.0.2.1]:54321", "192.0.2.1"),
        ("[fe80::1%eth0]:54321", "fe80::1"),
        ("", ""),
    ],
)
def test_an_address_is_taken_out_of_a_peer(client: str, address: str) -> None:
    """Without the port, and in the spelling that a log line can hold."""
    assert address == peer_of(client)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", "", "203.0.113.1"),
        ("203.0.113.1", "1.1.1.1", "203.0.113.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("2001:db8:1::1", "1.1.1.1", "1.1.1.1"),
        ("2001:db8:1::2", "1.1.1.1", "2001:db8:1::2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, evil, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1:5678", "1.1.1.1"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "1.1.1.1:", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1:5678:9", "10.0.0.1"),
        ("10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, ::FFFF:10.0.0.2", "9.9.9.9"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 2001:db8:2:ffff::9", "9.9.9.9"),
        ("2001:db8:1::1", "1.1.1.1, 2001:DB8:1:0::1", "1.1.1.1"),
        ("2001:db8:2::1", "2001:db8:3::1", "2001:db8:3::1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "1" * 5000, "10.0.0.1"),
        ("", "1.1.1.1", ""),
    ],
)
def test_a_forwarded_address_counts_from_the_nearest_on(
    peer: str, forwarded: str, client: str
) -> None:
    """The first hop that is no trusted proxy is the client; what it says itself is not believed."""
    proxies = Proxies(("10.0.0.0/8", "2001:db8:1::1", "2001:db8:2::/48"))

    assert client == proxies.client_of(peer, forwarded)


def test_more_hops_than_there_can_be_are_not_followed() -> None:
    """A chain of trusted proxies ends somewhere: who writes a thousand of them is one of us."""
    chain = ", ".join(["203.0.113.9", *["10.0.0.2"] * 32])

    assert Proxies(("10.0.0.0/8",)).client_of("10.0.0.1", chain) == "10.0.0.2"
    assert Proxies(("10.0.0.0/8",)).client_of("10.0.0.1", chain[:-10]) == "203.0.113.9"


@given(st.text())
@example("1.1.1.1," * 10_000)
@example("0x7f.1")
def test_any_header_gives_an_address_that_fits_the_log(forwarded: str) -> None:
    """Nothing but addresses comes out; killed: the header taken as it is."""
    found = Proxies(("10.0.0.1",)).client_of("10.0.0.1", forwarded)

    assert re.fullmatch(r"[0-9A-Fa-f.:]+", found)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, ""), ({"user-agent": "x"}, "x"), ({"user-agent": "x" * 513}, "x" * 512)],
)
def test_a_program_is_named_within_bounds(headers: dict[str, str], expected: str) -> None:
    """At most 512 characters; none stays none."""
    assert expected == user_agent_of(headers)
