"""Finished messages with exact places: where the texts that people read stand in the bytes.

The standard library reads headers; nothing is ever written back by its generator, which folds
headers and mends line ends. Whoever changes a text splices its new bytes in, so everything else is
the same byte for byte: headers, boundaries, preambles, attachments, and all that is not understood.

A text that people read is a text/html or text/plain that is not an attachment and has no file name.
It is looked for inside multipart/mixed, alternative, report and the root of related. What is signed
or encrypted, messages inside messages and multiparts of other kinds are left alone. So is text
whose lines are joined without a space (RFC 3676, DelSp), where a URL may go on in the next line.

Source: RFC 2045, RFC 2046 §5.1, RFC 2387, RFC 3676 §4.2, RFC 5322 §2.
"""

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp, b2a_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import policy
from email.errors import MissingHeaderBodySeparatorDefect
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final, TypeAlias

from aftersend.errors import InvalidInput
from aftersend.model.enumeration import Part

__all__ = ["InlineText", "Splice", "read_texts", "splice"]

_DEPTH_MAX: Final = 30
_LINE_BYTES_MAX: Final = 998

_PARTS: Final = {"text/html": Part.HTML, "text/plain": Part.TEXT}
_WALKED: Final = frozenset(("mixed", "alternative", "related", "report"))
_PLAIN: Final = frozenset(("7bit", "8bit", "binary"))
_ENCODINGS: Final = _PLAIN | {"quoted-printable", "base64"}
# Codecs of Python that no mail client has; some of them would read a text as another one.
_NO_CHARSETS: Final = frozenset(
    ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
)
_LINE_END: Final = re.compile(rb"\r?\n")
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_TRAILING: Final = re.compile(rb"(?:(?<=[^ \t])|\A)[ \t]+(?=\r?\n|\Z)")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]*[=\s]*")
# What begins a line and would be taken for something else by those who carry the message.
_RISKY_BEGINNING: Final = re.compile(rb"--|\.|From ")
_TO_QUOTE: Final = re.compile(rb"[^\t -<>-~]")
# Up to 70 characters and what is left of an escape: with the mark of a soft line break and what
# `_safe` adds, no line grows beyond 76.
_QUOTED_PIECE: Final = re.compile(rb"[^\n]{1,69}(?:(?<==)[^\n]{2}|(?<==[^\n])[^\n])?")
_PGP: Final = re.compile(r"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)

Splice: TypeAlias = tuple[int, int, bytes]
"""What is sent in place of the bytes from one place to another."""


@dataclass(frozen=True, slots=True)
class InlineText:
    """One text of a message: its headers and its encoded body are at these places."""

    part: Part
    content: str
    _charset: str
    _encoding: str
    _raw: bytes
    _head: tuple[int, int]
    _body: tuple[int, int]

    def replaced(self, text: str) -> Iterator[Splice]:
        """Say what has to be sent so that the text becomes another one.

        The charset and the transfer encoding stay, where they can hold it.
        """
        if text == self.content:
            return
        data, charset = self._encode(text)
        before = self._raw[slice(*self._body)]
        encoding = self._encoding
        if encoding in _PLAIN and not _is_fit(data, before, encoding):
            encoding = "quoted-printable"
        yield (*self._body, _transferred(data, encoding, before, self._line_end()))
        if (charset, encoding) != (self._charset, self._encoding):
            yield self._labelled(charset, encoding)

    def _encode(self, text: str) -> tuple[bytes, str]:
        try:
            data = text.encode(self._charset)
        except UnicodeEncodeError:
            if self.part is Part.HTML:
                return text.encode(self._charset, "xmlcharrefreplace"), self._charset
        else:
            if data.decode(self._charset) == text:
                return data, self._charset
        return text.encode(), "utf-8"

    def _labelled(self, charset: str, encoding: str) -> Splice:
        start, end = self._head
        head = self._raw[start:end]
        headers = _headers(head)
        if charset != self._charset:
            kind = headers.get_content_type()
            if "content-type" not in headers:
                headers["Content-Type"] = kind
            headers.set_param("charset", charset)
            head = _with_header(head, "Content-Type", headers["content-type"], self._line_end())
        if encoding != self._encoding:
            head = _with_header(head, "Content-Transfer-Encoding", encoding, self._line_end())
        return start, end, head

    def _line_end(self) -> bytes:
        found = _LINE_END.search(self._raw)
        return found[0] if found else b"\r\n"


def read_texts(raw: bytes) -> tuple[InlineText, ...]:
    """Find the texts of a message that people read, in the order of their places.

    Raises:
        InvalidInput: the message is signed as a whole, or one of its texts cannot be decoded.
    """
    headers = _headers(raw[: _body_start(raw, 0, len(raw))])
    if "dkim-signature" in headers:
        raise InvalidInput(
            "It is signed (DKIM-Signature), and any change breaks the signature: track it first,"
            " sign it then."
        )
    return tuple(_texts(raw, 0, len(raw), _DEPTH_MAX))


def splice(raw: bytes, splices: Iterable[Splice]) -> bytes:
    """Put new bytes in place of old ones."""
    pieces: list[bytes] = []
    at = 0
    for start, end, data in sorted(splices):
        assert at <= start <= end, "splices do not overlap"
        pieces += (raw[at:start], data)
        at = end
    return b"".join((*pieces, raw[at:]))


def _texts(raw: bytes, start: int, end: int, depth: int) -> Iterator[InlineText]:
    body = _body_start(raw, start, end)
    headers = _headers(raw[start:body])
    is_odd = any(isinstance(each, MissingHeaderBodySeparatorDefect) for each in headers.defects)
    if is_odd or headers.get_content_disposition() not in (None, "inline"):
        return
    if headers.get_content_maintype() == "multipart":
        yield from _inner(raw, body, end, headers, depth)
        return
    part = _PARTS.get(headers.get_content_type())
    if part is None or headers.get_filename() is not None or _is_joined(headers):
        return
    encoding = str(headers.get("content-transfer-encoding") or "7bit").strip().lower()
    data = _untransferred(raw[body:end], encoding)
    charset, content = _decoded(data, headers.get_content_charset())
    if not _PGP.search(content):
        yield InlineText(part, content, charset, encoding, raw, (start, body), (body, end))


def _inner(raw: bytes, start: int, end: int, headers: Message, depth: int) -> Iterator[InlineText]:
    boundary = headers.get_boundary()
    kind = headers.get_content_subtype()
    if not boundary or kind not in _WALKED or depth == 0:
        return
    children = list(_children(raw, start, end, boundary.encode(errors="surrogateescape")))
    if kind == "related":
        children = [_root(raw, children, headers.get_param("start"))] if children else []
    for child in children:
        yield from _texts(raw, *child, depth - 1)


def _children(raw: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Find what stands between the boundaries of a multipart."""
    line = re.compile(rb"(?<=\n)--" + re.escape(boundary) + rb"(?P<end>--)?[ \t]*(?:\r?\n|\Z)")
    began = -1
    for match in line.finditer(raw, start, end):
        if began >= 0:
            # The line end before a boundary belongs to the boundary.
            stop = match.start() - (2 if raw.endswith(b"\r\n", began, match.start()) else 1)
            yield began, max(stop, began)
        began = match.end()
        if match["end"] is not None:
            return
    if began >= 0:
        yield began, end


def _root(raw: bytes, children: list[tuple[int, int]], name: object) -> tuple[int, int]:
    """Find the one that the others belong to (RFC 2387 §3.2)."""
    for start, end in children:
        headers = _headers(raw[start : _body_start(raw, start, end)])
        if name is not None and str(headers.get("content-id", "")).strip() == str(name).strip():
            return start, end
    return children[0]


def _headers(head: bytes) -> Message:
    return BytesHeaderParser(policy=policy.compat32).parsebytes(head)


def _body_start(raw: bytes, start: int, end: int) -> int:
    """Find where the headers of an entity are over, the empty line included."""
    for line_end in (b"\r\n", b"\n"):
        if raw.startswith(line_end, start, end):
            return start + len(line_end)
    found = _EMPTY_LINE.search(raw, start, end)
    return found.end() if found else end


def _is_joined(headers: Message) -> bool:
    return str(headers.get_param("delsp") or "").lower() == "yes"


def _untransferred(raw: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return a2b_qp(_TRAILING.sub(b"", raw))
    if encoding == "base64":
        try:
            if _BASE64.fullmatch(raw):
                return a2b_base64(raw)
        except BinasciiError as error:
            raise InvalidInput(f"A text of it is not base64: {error}.") from error
        raise InvalidInput("A text of it is not base64.")
    if encoding not in _ENCODINGS:
        raise InvalidInput(f"A text of it has the unknown transfer encoding {encoding[:40]!r}.")
    return raw


def _decoded(data: bytes, charset: str | None) -> tuple[str, str]:
    """Read a text; one that does not say its charset is ASCII, UTF-8, or what holds all bytes."""
    if charset is not None:
        return charset, _decode(data, charset)
    for known in ("us-ascii", "utf-8"):
        try:
            return known, data.decode(known)
        except UnicodeDecodeError:
            continue
    return "iso-8859-1", data.decode("iso-8859-1")


def _decode(data: bytes, charset: str) -> str:
    try:
        if charset.replace("-", "_") not in _NO_CHARSETS:
            return data.decode(charset)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"A text of it says that it is {charset[:40]}, but is not.") from error
    except (LookupError, ValueError):
        pass
    raise InvalidInput(f"A text of it has the unknown charset {charset[:40]!r}.")


def _is_fit(data: bytes, before: bytes, encoding: str) -> bool:
    """Tell whether a text can travel as it is: RFC 5322 bounds its lines, 7bit its bytes."""
    if encoding == "binary":
        return True
    if encoding == "7bit" and not data.isascii() and before.isascii():
        return False
    return _longest(data) <= max(_LINE_BYTES_MAX, _longest(before))


def _longest(data: bytes) -> int:
    return max(len(line) for line in _LINE_END.split(data))


def _transferred(data: bytes, encoding: str, before: bytes, line_end: bytes) -> bytes:
    if encoding == "quoted-printable":
        return line_end.join(_quoted_lines(data, line_end))
    if encoding == "base64":
        lines = (b2a_base64(data[at : at + 57], newline=False) for at in range(0, len(data), 57))
        return line_end.join(lines) + before[len(before.rstrip()) :]
    return data


def _quoted_lines(data: bytes, line_end: bytes) -> Iterator[bytes]:
    for line in data.split(line_end):
        quoted = _TO_QUOTE.sub(lambda match: b"=%02X" % match[0][0], line)
        *pieces, last = _QUOTED_PIECE.findall(quoted) or [b""]
        for piece in pieces:
            yield _safe_beginning(piece) + b"="
        yield _safe_beginning(_safe_end(last))


def _safe_beginning(line: bytes) -> bytes:
    return b"=%02X" % line[0] + line[1:] if _RISKY_BEGINNING.match(line) else line


def _safe_end(line: bytes) -> bytes:
    return line[:-1] + b"=%02X" % line[-1] if line.endswith((b" ", b"\t")) else line


def _with_header(head: bytes, name: str, value: object, line_end: bytes) -> bytes:
    """Give a header another value, or add it behind the last one."""
    known = re.compile(
        rb"^%b[ \t]*:.*(?:\n[ \t].*)*\n" % name.encode(), re.MULTILINE | re.IGNORECASE
    )
    line = f"{name}: {value}".encode("ascii", "surrogateescape") + line_end
    if known.search(head):
        return known.sub(lambda _: line, head, count=1)
    at = len(head) - (2 if head.endswith(b"\r\n") else 1)
    return head[:at] + line + head[at:]
