"""Mail addresses as they are kept, judged and sent to."""

import re

import pytest

from aftersend.delivery import address
from aftersend.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com\t", "ada@example.com"),
        ("zoë@bücher.example", "zoë@bücher.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_an_address_is_kept_in_lower_case_without_spaces_around(written: str, kept: str) -> None:
    """Capitals and spaces around an address make no other recipient of somebody."""
    assert kept == address.normalise(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (" ", "missing"),
        ("ada.example.com", "no @"),
        ("ada@home@example.com", "more than one @"),
        ("@example.com", "nothing on one side"),
        ("ada@", "nothing on one side"),
        ("ada lovelace@example.com", "spaces inside"),
        ("ada@example.com\r\nBcc: eve@example.com", "control characters"),
        ("ada\x00@example.com", "control characters"),
        ("ada\u2028@example.com", "control characters"),
        ("ada\udc80@example.com", "control characters"),
        ("a" * 250 + "@example.com", "longer than 254"),
    ],
)
def test_what_can_be_no_address_is_refused_with_the_reason(written: str, why: str) -> None:
    """Every refusal says what is wrong with the address."""
    with pytest.raises(InvalidInput, match=why):
        address.normalise(written)


@pytest.mark.parametrize(
    "kept",
    [
        "ada@example.com",
        "ada+lamps@example.co.uk",
        "o'brien@example.com",
        "x=y@example.com",
        "zoë@bücher.example",
        "root@localhost",
        "a_b-c@1.example",
    ],
)
def test_ordinary_addresses_are_sendable(kept: str) -> None:
    """What people use as addresses may be sent to."""
    assert address.is_sendable(kept)


@pytest.mark.parametrize(
    "kept",
    [
        "ada..b@example.com",
        ".ada@example.com",
        "ada.@example.com",
        '"ada b"@example.com',
        "ada<b@example.com",
        "ada@exa_mple.com",
        "ada@-example.com",
        "ada@example..com",
        "ada@[192.0.2.1]",
        "ada@example.com.",
        "a" * 65 + "@example.com",
        "ada@" + "a" * 64 + ".example",
        "ada@ü" + "a" * 80 + ".example",
    ],
)
def test_addresses_that_no_server_could_take_are_of_bad_quality(kept: str) -> None:
    """What breaks the rules of SMTP is left out before a server refuses it."""
    assert not address.is_sendable(kept)


def test_a_domain_is_sent_in_ascii() -> None:
    """The domain goes out in punycode, the name before the @ as it is."""
    assert "zoë@xn--bcher-kva.example" == address.as_sent("zoë@bücher.example")


@pytest.mark.parametrize(
    ("written", "name", "kept"),
    [
        ("Ada <Ada@Example.com>", "Ada", "ada@example.com"),
        ("ada@example.com", "", "ada@example.com"),
        ("<ada@example.com>", "", "ada@example.com"),
        ('"Lovelace, Ada" <ada@example.com>', "Lovelace, Ada", "ada@example.com"),
        (r'"Ada \"Ace\"" <ada@example.com>', 'Ada "Ace"', "ada@example.com"),
        ("Harbour, Pine & Söhne <a@x.example>", "Harbour, Pine & Söhne", "a@x.example"),
    ],
)
def test_a_sender_has_a_name_and_an_address(written: str, name: str, kept: str) -> None:
    """A sender may be written with or without a name, quoted or not."""
    assert (name, kept) == address.read_sender(written)


@pytest.mark.parametrize(
    "written",
    ["", "Ada", "Ada <>", "Ada <ada>", "Ada <a@b.example> x", "Ada <a@b.example", "a@b..example"],
)
def test_a_sender_that_could_not_be_answered_is_refused(written: str) -> None:
    """A sender without a usable address is refused with an example of one."""
    with pytest.raises(InvalidInput, match=re.escape("Ada <ada@example.com>")):
        address.read_sender(written)


def test_a_sender_cannot_add_a_header() -> None:
    """A line end in a sender is refused."""
    with pytest.raises(InvalidInput, match="control characters"):
        address.read_sender("Ada <ada@example.com>\r\nBcc: eve@example.com")
