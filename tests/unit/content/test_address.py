"""Which addresses are tracked."""

import pytest

from aftersend.content.address import read_address
from aftersend.content.expression import Expression, MessageToken, Script, Statement, Value, What
from aftersend.model.catalogue import TOKEN_SLOT


def _expression(what: What) -> Expression:
    return Expression(0, 1, what)


TOKEN = _expression(MessageToken())
STATEMENT = _expression(Statement("if (a) {"))
A, B = (_expression(Value(field, is_url=True)) for field in "ab")


@pytest.mark.parametrize(
    "url",
    [
        *("https://x.example", "http://x.example/", "HTTPS://X.EXAMPLE?a", "https://x.example#a"),
        *("https://user:pw@x.example:8080/", "http://localhost/", "http://127.0.0.1/"),
        *("https://[2001:db8::1]/", "https://grün.example/", "https://例え.example/"),
    ],
)
def test_tracked(url: str) -> None:
    """An address with http or https and a whole host is tracked, as it is."""
    address = read_address([url])

    assert address is not None
    assert (url, (url,), ()) == (address.source, address.pieces, address.fields)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            " ",
            "#top",
            "x.html",
            "/x",
            "//x.example/",
            "?a=https://x.example/",
            "www.x.example",
        ),
        *("mailto:a@x.example", "tel:1", "sms:1", "cid:a", "data:,a", "javascript:a()", "ftp://x/"),
        *(
            "https:",
            "https:/",
            "https://",
            "https:///x",
            "https://?x",
            "https:x.example",
            "https://:80",
        ),
        *("https://{{host}}/", "{{url}}", "https://x y/", "https://x.example\\@y.example/"),
        *("https://a@", "https://[::1", "https://x.example:port/", "https://%78.example/"),
    ],
)
def test_left_alone(url: str) -> None:
    """Everything else is none of our business."""
    assert read_address([url]) is None


def test_values() -> None:
    """Values become slots, the same field the same slot; the token has its own."""
    address = read_address([" https://x.example/?", A, "&", B, "&", A, "\t#", TOKEN, " \n"])

    assert address is not None
    assert ("https://x.example/?", 0, "&", 1, "&", 0, "#", TOKEN_SLOT) == address.pieces
    assert ("a", "b") == address.fields


def test_spaces_beside_values() -> None:
    """A space between a value and the rest is part of the address."""
    address = read_address(["https://x.example/?", A, " "])

    assert address is not None
    assert ("https://x.example/?", 0) == address.pieces
    address = read_address(["https://x.example/? ", A, " b"])
    assert address is not None
    assert ("https://x.example/?%20", 0, "%20b") == address.pieces


@pytest.mark.parametrize("pieces", [["mailto:", A], ["tel:", A, "1"], ["/x?", A], ["#", A]])
def test_left_alone_with_values(pieces: list[str | Expression]) -> None:
    """What is left alone may hold values where they are safe."""
    assert read_address(pieces) is None


@pytest.mark.parametrize(
    "pieces",
    [
        *([A], [A, "://x.example/"], ["http", A, "://x/"], ["https:", A], ["https://", A, "/"]),
        *(["https://x.example", A], ["https://x.example:", A, "/"], ["https://a:", A, "@x/"]),
        *(["//", A], ["//x.example", A], ["/\\", A], ["x", A], ["data:", A], ["JavaScript:", A]),
        *(["https://x.example/" + "x" * 8192], ["https://{{host}}", A], ["https://x.example/", A]),
        ["https://x.example/", TOKEN, "/", A, "?"],
        ["https://x.example/?", STATEMENT],
        ["mailto:", STATEMENT],
        ["https://x.example/?", _expression(Value("a", is_url=False))],
        ["https://x.example/?", _expression(Script("a", is_url=False))],
        ["https://x.example/?", *(_expression(Value(f"f{n}", is_url=True)) for n in range(65))],
    ],
)
def test_refused(pieces: list[str | Expression]) -> None:
    """A value in host or path, a statement, or a link that no token can carry, is refused."""
    with pytest.raises(ValueError, match=r"\.$"):
        read_address(pieces)
