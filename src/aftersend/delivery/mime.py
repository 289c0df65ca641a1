"""Texts as mail carries them: quoted-printable bodies and header lines in ASCII.

A body survives every relay as it is: lines of at most 76 characters of ASCII, none of which a
relay might change or take for something else (a dot, `From `, spaces at the end). Line ends of a
body become those of mail, CRLF, whichever they were.

Bodies are made to be cut and joined: `quote` gives text that stands at the beginning of a line and
ends at the end of one, with a soft line break if the text goes on. So literals are encoded once
a delivery and values once a message, and joining them is all that is left.

Source: RFC 2045 §6.7, RFC 2047, RFC 5322 §2.1.1, RFC 5321 §4.5.2.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterator
from typing import Final

__all__ = ["SOFT_BREAK", "header_line", "mailbox_line", "quote"]

SOFT_BREAK: Final = b"=\r\n"

_COLUMNS_MAX: Final = 73
"""Leaves room for the `=` of a soft break and for the escape of a first character."""
_PLAIN: Final = re.compile(r"[0-9A-Za-z]+")
_BYTES: Final = tuple(
    bytes((byte,)) if byte == 9 or (32 <= byte <= 126 and byte != 61) else b"=%02X" % byte
    for byte in range(256)
)
_FIRST: Final = re.compile(rb"(?m)^(\.|From )")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HEADER_COLUMNS_MAX: Final = 78
_WORD_COLUMNS_MAX: Final = 70
_WORD_BYTES_MAX: Final = 39
"""As base 64, with what stands around it and the header's name, less than a line of 76."""
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_UNQUOTABLE: Final = re.compile(r'(["\\])')


def quote(text: str) -> bytes:
    r"""Encode a piece of a body; it begins and ends at line borders.

    >>> quote("Zoë pays 5 € = 5")
    b'Zo=C3=AB pays 5 =E2=82=AC =3D 5=\r\n'
    >>> quote("..\nFrom here \n")
    b'=2E.\r\n=46rom here=20\r\n'
    """
    if _PLAIN.fullmatch(text):
        raw = text.encode("ascii")
        if len(raw) <= _COLUMNS_MAX:
            return raw + SOFT_BREAK
        cuts = range(0, len(raw), _COLUMNS_MAX)
        return SOFT_BREAK.join(raw[cut : cut + _COLUMNS_MAX] for cut in cuts) + SOFT_BREAK
    if not text:
        return b""
    *lines, last = text.replace("\r\n", "\n").split("\n")
    encoded = [SOFT_BREAK.join(_fold(line)) + b"\r\n" for line in lines]
    if last:
        encoded.append(SOFT_BREAK.join(_fold(last, is_whole=False)) + SOFT_BREAK)
    return _FIRST.sub(lambda match: b"=%02X" % match[1][0] + match[1][1:], b"".join(encoded))


def header_line(name: str, text: str) -> bytes:
    r"""Write a header of free text, such as a subject, folded and in ASCII.

    >>> header_line("Subject", "Zoë, look")
    b'Subject: =?utf-8?B?Wm/DqywgbG9vaw==?=\r\n'
    """
    text = _one_line(text)
    if not text.isascii() or "=?" in text:
        return f"{name}: {_encoded_words(text)}\r\n".encode()
    line = f"{name}: {text}"
    if len(line) <= _HEADER_COLUMNS_MAX:
        return f"{line}\r\n".encode()
    if "  " in text or any(len(word) > _WORD_COLUMNS_MAX for word in text.split(" ")):
        return f"{name}: {_encoded_words(text)}\r\n".encode()
    return f"{_folded(line)}\r\n".encode()


def mailbox_line(name: str, display_name: str, address: str) -> bytes:
    r"""Write a header with one address and the name of who reads it, which may be empty.

    >>> mailbox_line("To", "Ada, Countess", "ada@example.com")
    b'To: "Ada, Countess" <ada@example.com>\r\n'
    """
    display_name = _one_line(display_name)
    if not display_name:
        return f"{name}: {address}\r\n".encode()
    line = f"{name}: {_phrase(display_name)}"
    is_long = len(line) - line.rfind("\n") + len(address) > _HEADER_COLUMNS_MAX - 3
    border = "\r\n " if is_long else " "
    return f"{line}{border}<{address}>\r\n".encode()


def _one_line(text: str) -> str:
    """Make it impossible for a text to end the header it stands in."""
    return _CONTROL.sub(" ", text).strip()


def _fold(line: str, *, is_whole: bool = True) -> Iterator[bytes]:
    """Cut a line; at the end of a `whole` one no space may stand as it is."""
    atoms = [_BYTES[byte] for byte in line.encode()]
    if is_whole and atoms and atoms[-1] in (b" ", b"\t"):
        atoms[-1] = b"=20" if atoms[-1] == b" " else b"=09"
    begin = columns = 0
    for index, atom in enumerate(atoms):
        if columns + len(atom) > _COLUMNS_MAX:
            yield b"".join(atoms[begin:index])
            begin, columns = index, 0
        columns += len(atom)
    yield b"".join(atoms[begin:])


def _phrase(text: str) -> str:
    if text.isascii() and len(text) <= _WORD_COLUMNS_MAX and "=?" not in text:
        if _ATOMS.fullmatch(text):
            return text
        return '"' + _UNQUOTABLE.sub(r"\\\1", text) + '"'
    return _encoded_words(text)


def _encoded_words(text: str) -> str:
    words = []
    word = b""
    for character in text:
        raw = character.encode()
        if len(word) + len(raw) > _WORD_BYTES_MAX:
            words.append(word)
            word = b""
        word += raw
    words.append(word)
    return "\r\n ".join(
        f"=?utf-8?B?{b2a_base64(each, newline=False).decode('ascii')}?=" for each in words
    )


def _folded(line: str) -> str:
    lines = [""]
    for word in line.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _HEADER_COLUMNS_MAX:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n ".join(lines)
