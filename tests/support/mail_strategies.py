"""Strategies that make finished messages whose texts are known, nested and encoded in every way."""

from base64 import encodebytes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from hypothesis import strategies as st

from aftersend.model.enumeration import Part
from tests.support import content_strategies as some

__all__ = ["Made", "Text", "messages"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that people read; of its links `marked` has ⟦⟧ for the addresses."""

    part: Part
    content: str
    marked: str
    charset: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """An entity that is none of our business, headers and all."""

    raw: str


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart; `around` are preamble and epilogue."""

    kind: str
    children: tuple["Text | Opaque | Multipart", ...]
    around: tuple[str, str]
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A message as what is fixed, byte for byte, and the texts between, encoded."""

    pieces: tuple[bytes | tuple[Text, bytes], ...]

    @property
    def raw(self) -> bytes:
        """Give all of it."""
        return b"".join(each if isinstance(each, bytes) else each[1] for each in self.pieces)

    @property
    def texts(self) -> list[Text]:
        """Give the texts that people read."""
        return [each[0] for each in self.pieces if not isinstance(each, bytes)]


_CHARSETS = ("us-ascii", "utf-8", "iso-8859-1", "windows-1252", "UTF-16", "iso-2022-jp", "gb18030")
_ENCODINGS = ("7bit", "8bit", "binary", "quoted-printable", "base64")
# A line of content that would be a boundary, were it not encoded.
_BOUNDARY_LINE = some.Piece("\n--_b1--\n", "\n--_b1--\n")
_PLAIN_NOISE = st.sampled_from(
    (
        *(
            "Hello\n",
            " \n",
            ". ",
            "From me\n",
            "-- \nAda\n",
            "é = ü\n",
            "<%= recipient.x %> ",
            "\t",
        ),
        *("x" * 90, "日本\n", "mailto:a@b.example ", "=3D", "\n.\n", "a=\n", " <%@ include", "😀"),
        *("x--_b1\n", "--", "(", ") ", "\n\n"),
    )
).map(lambda raw: some.Piece(raw, raw))
_PLAIN_LINKS = st.builds(
    lambda url, end: some.Piece(f" {url}{end}", f" ⟦⟧{end}", url),
    st.sampled_from(
        (
            *("https://x.example", "http://x.example/a?b=1&c=2", "https://x.example/a=3D%2F"),
            *("https://grün.example/ü", f"https://x.example/{'long/' * 40}?q={'1' * 60}"),
        )
    ),
    st.sampled_from((" ", "\n", "\n\n", ". ", ">\n")),
)
_TEXTS = st.lists(_PLAIN_LINKS | _PLAIN_NOISE | st.just(_BOUNDARY_LINE), max_size=8).map(
    lambda pieces: (Part.TEXT, pieces)
)
_PAGES = some.documents.map(lambda pieces: (Part.HTML, pieces))


def _is_possible(text: Text) -> bool:
    """Tell whether a text can travel so."""
    try:
        data = text.content.encode(text.charset)
    except UnicodeEncodeError:
        return False
    if "\r" in text.content.replace("\r\n", "") or not text.content.strip():
        return False
    if text.encoding in ("quoted-printable", "base64"):
        return True
    return "UTF-16" not in text.charset and (
        "--_b" not in text.content and (data.isascii() or text.encoding != "7bit")
    )


@st.composite
def _texts(draw: st.DrawFn) -> Text:
    part, pieces = draw(_TEXTS | _PAGES)
    content, marked = (
        "".join(getattr(each, name) for each in pieces) for name in ("raw", "marked")
    )
    charsets = draw(st.permutations(_CHARSETS))
    encodings = draw(st.permutations(_ENCODINGS))
    possible = (
        text
        for charset in charsets
        for encoding in encodings
        if _is_possible(text := Text(part, content, marked, charset, encoding))
    )
    found = next(possible, None)
    return found or Text(Part.TEXT, "nothing to see", "nothing to see", "utf-8", "7bit")


_OPAQUE = st.sampled_from(
    (
        "Content-Type: text/calendar; method=REQUEST\n\nURL:https://no.example/\n",
        'Content-Type: text/plain; name="a.txt"\n\nhttps://no.example/\n',
        "Content-Type: text/html\nContent-Disposition: attachment\n\n<a href='https://no.example'>",
        "Content-Type: message/rfc822\n\nSubject: x\n\nhttps://no.example/ in it\n",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; https://no.example/\n",
        "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nMIIB\n",
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n",
        "Content-Type: text/plain; format=flowed; delsp=yes\n\nhttps://no.example/a \nb\n",
        "Content-Type: text/plain\n\n-----BEGIN PGP SIGNED MESSAGE-----\n\nhttps://no.example/\n",
        "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: x\n\nhttps://no.example/\n--d--",
        "Content-Type: multipart/mixed\n\nhttps://no.example/\n",
        "content-type:   text/x-amp-html ;\n\tcharset = utf-8\n\n<a href='https://no.example/'>",
    )
).map(Opaque)
_AROUND = st.tuples(
    st.sampled_from(("", "This is MIME: https://no.example/\n", "\n")),
    st.sampled_from(("", "\n", "\n--{}\n\nhttps://no.example/ behind\n")),
)
_TREES = st.recursive(
    _texts() | _OPAQUE,
    lambda children: st.builds(
        Multipart,
        st.sampled_from(("mixed", "alternative", "related", "report", "signed", "encrypted")),
        st.lists(children, min_size=1, max_size=4).map(tuple),
        _AROUND,
        st.booleans() | st.just(True),
    ),
    max_leaves=10,
)
_HEADERS = st.sampled_from(
    (
        "",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=  two  spaces\nX-Odd:\n",
        f"To: a@b.example,\n\tc@d.example\nX-Long: {'https://no.example/ ' * 20}\nX-8bit: ü\n",
    )
)


@st.composite
def messages(draw: st.DrawFn) -> Made:
    """Make a message with line ends of mail or of this machine."""
    line_end = draw(st.sampled_from(("\r\n", "\n")))
    width = draw(st.integers(min_value=8, max_value=70))
    pieces: list[bytes | tuple[Text, bytes]] = [_bytes(draw(_HEADERS), line_end)]
    pieces += _written(draw(_TREES), count(1), line_end, width, is_open=True)
    return Made(tuple(_joined(pieces)))


def _joined(pieces: list[bytes | tuple[Text, bytes]]) -> Iterator[bytes | tuple[Text, bytes]]:
    fixed = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            fixed += piece
        else:
            yield from (fixed, piece)
            fixed = b""
    yield fixed


def _bytes(text: str, line_end: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", line_end).encode()


def _written(
    tree: Text | Opaque | Multipart,
    numbers: Iterator[int],
    line_end: str,
    width: int,
    *,
    is_open: bool,
) -> Iterator[bytes | tuple[Text, bytes]]:
    if isinstance(tree, Opaque):
        yield _bytes(tree.raw, line_end)
    elif isinstance(tree, Text):
        yield from _written_text(tree, line_end, width, is_open=is_open)
    else:
        boundary = f"_b{next(numbers)}"
        before, behind = tree.around
        yield _bytes(
            f'Content-Type: multipart/{tree.kind};\n boundary="{boundary}"\n\n{before}', line_end
        )
        is_open = is_open and tree.kind not in ("signed", "encrypted")
        for index, child in enumerate(tree.children):
            yield _bytes(
                f"\n--{boundary}\n" if index or before == "" else f"--{boundary}\n", line_end
            )
            is_root = index == 0 or tree.kind != "related"
            yield from _written(child, numbers, line_end, width, is_open=is_open and is_root)
        end = f"\n--{boundary}--{behind.format(boundary)}"
        yield _bytes(end if tree.is_closed else "", line_end)


def _written_text(
    text: Text, line_end: str, width: int, *, is_open: bool
) -> Iterator[bytes | tuple[Text, bytes]]:
    kind = "html" if text.part is Part.HTML else "plain"
    head = (
        f"MIME-Version: 1.0\nContent-Type: text/{kind};\n charset={text.charset}\n"
        f"Content-Transfer-Encoding: {text.encoding}\nX-Behind: 1\n\n"
    )
    body = _encoded(text, line_end, width)
    if is_open:
        yield _bytes(head, line_end)
        yield text, body
    else:
        yield _bytes(head, line_end) + body


def _encoded(text: Text, line_end: str, width: int) -> bytes:
    data = text.content.encode(text.charset)
    if text.encoding == "base64":
        return encodebytes(data).replace(b"\n", line_end.encode())
    if text.encoding == "quoted-printable":
        pieces = [
            b"=%02X" % byte if byte in b"=-.F\r\n \t" or byte > 126 else bytes((byte,))
            for byte in data
        ]
        lines = (b"".join(pieces[at : at + width]) for at in range(0, len(pieces), width))
        return f"={line_end}".encode().join(lines)
    return data
