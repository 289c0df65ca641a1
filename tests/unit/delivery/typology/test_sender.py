"""Rules about the subject, the sender and our own addresses."""

import pytest

from aftersend.content import Addresses, Source
from tests.support.typology import prepared, told


def subject(text: str) -> Source:
    """Write a message with a subject."""
    return Source(text, text="Hello")


@pytest.mark.parametrize("text", ["", "   "])
def test_a_subject_is_there(text: str) -> None:
    """A message without a subject is not sent."""
    assert ["The subject is empty: write one."] == told(prepared(source=subject(text)), "subject")
    assert [] == told(prepared(source=subject("Hello")), "subject")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Now\u200b here", "U+200B (zero width space)"),
        ("Now \u202ehere", "U+202E (right-to-left override)"),
        ("Now\u00ad here", "U+00AD (soft hyphen)"),
        ("Now \ue000", "U+E000 (without a name)"),
        ("Gr\ufffd\ufffdße", "a character that was lost"),
        ("GrÃ¶Ã\x9fe", "wrong encoding"),
        ("Itâ€™s here", "'â€™', which looks like text read in the wrong encoding"),
        ("Lamps &amp; more", "has &amp;, which is shown as it stands here: write &"),
        ("Caf&eacute;", "has &eacute;"),
    ],
)
def test_odd_characters_of_the_subject_are_told(text: str, problem: str) -> None:
    """What people cannot see, cannot read or do not expect is named."""
    found = told(prepared(source=subject(text)), "characters")

    assert any(problem in each for each in found), found
    assert all(each.startswith("The subject has ") for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "Grüße für 5 € – “now”",
        "👩‍🚀 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f ❤️",
        "می‌خواهم",
        "今日は",
        "R&D; a & b",
        "<%= recipient.first_name.replace('\u200b', '') %>",
        "«à»",
    ],
)
def test_letters_of_all_languages_are_letters(text: str) -> None:
    """Signs, emoji with their joiners and code are not odd."""
    assert [] == told(prepared(source=subject(text)), "characters")


def test_odd_characters_of_the_sender_are_told() -> None:
    """The name that people see is looked at, too."""
    (text,) = told(prepared(sender="Harbour\u200b <news@example.com>"), "characters")

    assert text.startswith("The sender has the character U+200B")


def test_our_own_addresses_have_tls() -> None:
    """Tracking server and pages are told of apart; on this machine nobody needs it."""
    plain = Addresses("http://t.example.com", "http://app.example.com/mail")
    local = Addresses("http://127.0.0.1:8081", "http://localhost:8080")

    found = told(prepared(addresses=plain), "plain-http")

    assert 2 == len(found)
    assert "pages of messages, http://app.example.com/mail, has no TLS" in found[0]
    assert "the tracking server, http://t.example.com, has no TLS" in found[1]
    assert 1 == len(told(prepared(addresses=plain, is_tracked=False), "plain-http"))
    assert [] == told(prepared(addresses=local), "plain-http")
    assert [] == told(prepared(), "plain-http")


@pytest.mark.parametrize(
    ("sender", "host", "is_told"),
    [
        ("news@example.com", "t.example.com", False),
        ("Ada <ada@mail.Example.com>", "clicks.example.com", False),
        ("news@example.co.uk", "t.example.co.uk", False),
        ("news@bücher.example", "t.xn--bcher-kva.example", False),
        ("news@example.com", "t.tracker.example", True),
        ("news@first.co.uk", "t.second.co.uk", True),
        ("news@notexample.com", "example.com", True),
    ],
)
def test_the_tracking_server_is_the_senders(sender: str, host: str, is_told: bool) -> None:
    """Links to the sender's own domain are trusted more; a foreign one is told of."""
    addresses = Addresses(f"https://{host}", "https://app.example.com")

    found = told(prepared(sender=sender, addresses=addresses), "tracking-host")

    assert is_told == bool(found)
    assert all(host in text for text in found)


def test_links_that_nobody_else_can_reach_are_told() -> None:
    """The address of an instance on trial is good for this machine alone."""
    addresses = Addresses("http://192.168.1.4:8081", "http://127.0.0.1:8080")

    (text,) = told(prepared(addresses=addresses), "tracking-host")

    assert "set collector.external_url" in text
    assert [] == told(prepared(addresses=addresses, is_tracked=False), "tracking-host")
