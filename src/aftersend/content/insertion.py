"""Putting a text together so that what is inserted as a value stays data.

What instructions of an author bring along is content like his own. What `value` brings along comes
from a document, and is written for the place it stands in:

| place | a value is written |
|---|---|
| HTML | with `& < > " '` as character references; behind an unquoted `=` also spaces |
| text | as it is; one that holds `<%` is refused |
| subject | as in text, line ends as spaces |
| inside `<% … %>`, between quotes | with most signs as escapes of JavaScript |
| inside `<% … %>`, elsewhere | a number, `true`, `false`, or `null` for nothing; else refused |

Inside scripts only letters, digits, spaces and `. , - _` stay as they are. So the escapes do not
rest on knowing where quotes begin and end: even where that is mistaken, no sign is left that could
call or assign anything.

Invariant: no `<%` or `<%@` comes out that nobody wrote in one piece.

Source: spec §3.2; the escapes are those of HTML and ECMAScript.
"""

import re
from enum import StrEnum
from html import escape
from typing import Final

from aftersend.content.detection import LINE_BREAKS
from aftersend.content.expression import TEXT_LENGTH_MAX

__all__ = ["Kind", "Page", "TooMuch"]

_TAIL_LENGTH: Final = 256
# Behind `=` and no quote: what follows may be the value of an attribute that a space would end.
_UNQUOTED: Final = re.compile(r"(?:=\s*|\A)[^\s\"'<>]*\Z")
_ENDS_UNQUOTED: Final = re.compile(r"[\s=`]")
_CODE_SAFE: Final = re.compile(r"[^\w .,\-]")
_CODE_LITERAL: Final = re.compile(r"-?\d+(?:\.\d+)?|true|false")
_CODE_TOKEN: Final = re.compile(r"\\.|//|/\*|\*/|['\"`\n]", re.DOTALL)
# What ends a piece of code that is no code: quotes, and comments by what begins them.
_CLOSED_BY: Final = {"'": "'", '"': '"', "`": "`", "//": "\n", "/*": "*/"}


class Kind(StrEnum):
    """What a text is for."""

    HTML = "html"
    TEXT = "text"
    SUBJECT = "subject"


class TooMuch(Exception):
    """The whole has become too much; no single place is to blame."""


class Page:
    """A text that is being put together."""

    def __init__(self, kind: Kind) -> None:
        """Begin with nothing."""
        self.kind = kind
        self._pieces: list[str] = []
        self._length = 0
        self._tail = ""
        self._is_script = False
        self._closes = ""  # inside a script: what ends the quotes or the comment we are in

    def __str__(self) -> str:
        return "".join(self._pieces)

    def write(self, text: str) -> None:
        """Add what an author wrote.

        Raises:
            ValueError: it completes a mark that he did not write; the sentence says which.
        """
        self._append(text)
        at = 0
        while True:
            if not self._is_script:
                start = text.find("<%", at)
                if start < 0:
                    return
                self._is_script, self._closes, at = True, "", start + 2
            end = text.find("%>", at)
            self._read_code(text[at : end if end >= 0 else None])
            if end < 0:
                return
            self._is_script, at = False, end + 2

    def keep(self, instruction: str) -> None:
        """Add an instruction that is carried out later; it is neither script nor value."""
        self._append(instruction)

    def insert(self, value: str) -> None:
        """Add a value.

        Raises:
            ValueError: it cannot stand here; the sentence says why.
        """
        self._append(self._for_code(value) if self._is_script else self._for_people(value))

    def _for_people(self, value: str) -> str:
        if self.kind is Kind.HTML:
            escaped = escape(value)
            return _ENDS_UNQUOTED.sub(_reference, escaped) if self._is_unquoted() else escaped
        if "<%" in value:
            raise ValueError(f"The value {_shown(value)} holds `<%`, which would begin a script.")
        return LINE_BREAKS.sub(" ", value) if self.kind is Kind.SUBJECT else value

    def _for_code(self, value: str) -> str:
        if not self._closes and not value:
            return "null"
        if not self._closes and not _CODE_LITERAL.fullmatch(value):
            raise ValueError(
                f"The value {_shown(value)} is no number: inside a script a text stands between"
                " quotes, such as '<%@ value … %>'."
            )
        return _CODE_SAFE.sub(_code_escape, value)

    def _is_unquoted(self) -> bool:
        return _UNQUOTED.search(self._tail) is not None

    def _append(self, text: str) -> None:
        for mark in ("<%", "<%@"):
            if self._tail.endswith(mark[:-1]) and text.startswith(mark[-1]):
                raise ValueError(
                    f"`{mark}` comes from two pieces that meet here: keep them apart with a space."
                )
        self._length += len(text)
        if self._length > TEXT_LENGTH_MAX:
            raise TooMuch(f"It grows beyond {TEXT_LENGTH_MAX:,} characters.")
        self._pieces.append(text)
        self._tail = (self._tail + text[-_TAIL_LENGTH:])[-_TAIL_LENGTH:]

    def _read_code(self, code: str) -> None:
        for match in _CODE_TOKEN.finditer(code):
            if not self._closes:
                self._closes = _CLOSED_BY.get(match[0], "")
            elif match[0] == self._closes:
                self._closes = ""


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _code_escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\u{{{number:x}}}"


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}…")
