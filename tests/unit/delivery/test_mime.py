"""Texts as mail carries them."""

import quopri
import re
from base64 import b64decode
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.delivery.mime import header_line, mailbox_line, quote

_WORD = re.compile(rb"=\?utf-8\?B\?([^?]*)\?=")
_TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from('\r\n\t .=_ aFrom,@"\\<>?é€'), st.characters(exclude_categories=["Cs"])
    ),
    max_size=300,
)
_LINE = st.text(
    alphabet=st.one_of(
        st.sampled_from(' .=?_"\\<>(),:;@aé€'),
        st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    ),
    max_size=300,
)


@given(st.lists(_TEXT, max_size=5))
@example(["a.", "\n.b", "=\n"])
@example(["x" * 72, "", "From ", "é" * 40])
@example(["text \n", " \n"])
def test_pieces_survive_and_may_be_joined(pieces: list[str]) -> None:
    """Decoding joined pieces gives the joined texts, but for line ends, which are those of mail.

    Dies when the soft break behind a piece is left out, when spaces before a line end are not
    escaped, and when lines may have 77 characters.
    """
    encoded = b"".join(quote(piece) for piece in pieces)

    # Where a piece ends in a carriage return and the next begins with a line feed, they become one.
    expected = "".join(piece.replace("\r\n", "\n") for piece in pieces)
    assert expected.encode() == quopri.decodestring(encoded.replace(b"\r\n", b"\n"))
    for line in encoded.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 76
        assert line.isascii()
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert b"\r" not in line


def test_quoting_is_readable() -> None:
    """Ordinary text stays as it is, so that people can read it in a raw message."""
    assert b"Hello Ada, 100 % wool\r\n" == quote("Hello Ada, 100 % wool\n")


def test_a_long_token_is_cut_into_lines() -> None:
    """A token that is longer than a line goes over several, softly broken."""
    assert b"a" * 73 + b"=\r\n" + b"a" * 7 + b"=\r\n" == quote("a" * 80)


@given(_LINE)
@example("a" * 2000)
@example("word " * 40)
@example("=?utf-8?Q?hello?=")
@example("two  spaces " * 12)
def test_a_header_survives(text: str) -> None:
    """A header reads back as it was written, in lines that every relay takes.

    Dies when a word is cut inside a character, and when text that looks encoded is left as it is.
    """
    line = header_line("Subject", text)

    message = message_from_bytes(line + b"\r\n", policy=policy.default)
    assert text.strip() == message["Subject"]
    assert line.isascii()
    assert ["Subject"] == message.keys()
    assert all(len(each) <= 78 for each in line.split(b"\r\n"))
    for word in _WORD.findall(line):
        b64decode(word).decode()  # each by itself (RFC 2047 §5)


@given(_LINE)
@example('Ada "Ace" Lovelace, Countess')
@example("Zoë " * 30)
def test_a_name_survives_beside_its_address(name: str) -> None:
    """Whatever somebody is called, the address stays the only one and the name reads back.

    Dies when quotes inside a quoted name are not escaped.
    """
    line = mailbox_line("To", name, "ada@example.com")

    # The newer reader of 3.11 puts spaces between encoded words of a name.
    written = str(message_from_bytes(line + b"\r\n", policy=policy.compat32)["To"])
    phrase, address = parseaddr(written.replace("\r\n ", " "))
    assert "ada@example.com" == address
    assert name.strip() == str(make_header(decode_header(phrase)))
    (mailbox,) = message_from_bytes(line + b"\r\n", policy=policy.default)["To"].addresses
    assert "ada@example.com" == mailbox.addr_spec
    assert all(len(each) <= 78 for each in line.split(b"\r\n"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", b"To: ada@example.com\r\n"),
        ("Ada Lovelace", b"To: Ada Lovelace <ada@example.com>\r\n"),
        ("A. Lovelace", b'To: "A. Lovelace" <ada@example.com>\r\n'),
        ("Zoë", b"To: =?utf-8?B?Wm/Dqw==?= <ada@example.com>\r\n"),
    ],
)
def test_a_name_is_written_as_plainly_as_it_can_be(name: str, line: bytes) -> None:
    """Quotes and encoding are used only where they must be."""
    assert line == mailbox_line("To", name, "ada@example.com")
