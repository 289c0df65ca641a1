"""Catalogue files: what a tracking server knows of a delivery, byte for byte."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.errors import InvalidCatalogue
from aftersend.model import catalogue
from aftersend.model.catalogue import TOKEN_SLOT, Catalogue, Destination
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import ID_MAX, DeliveryId, UrlId

PINNED = (
    b'{"format":1,"delivery":7,"published":"2026-01-02T03:04:05Z","expires":"2026-02-02T00:00:00Z",'
    b'"substitution":"https://x.example/over","urls":{"1":{"type":2,"label":"Open","to":[]},'
    b'"2":{"type":1,"label":"Sh\xc3\xb6p","to":["https://x.example/?n=",0,"#a"]},'
    b'"30":{"type":3,"label":"","to":["http://a.example/u/",-1]}}}\n'
)
MEANING = Catalogue(
    delivery_id=DeliveryId(7),
    published_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    expires_at=datetime(2026, 2, 2, tzinfo=UTC),
    substitution_url="https://x.example/over",
    urls={
        UrlId(1): Destination((), UrlType.OPEN, "Open"),
        UrlId(2): Destination(("https://x.example/?n=", 0, "#a"), UrlType.EMAIL_CLICK, "Shöp"),
        UrlId(30): Destination(("http://a.example/u/", TOKEN_SLOT), UrlType.OPT_OUT),
    },
)

ids = st.integers(1, ID_MAX)
text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), max_size=15)
bases = st.sampled_from(["https://x.example/", "http://a.example:81?", "HTTPS://ü.example#"])
pieces = st.tuples(
    bases, st.lists(text | st.sampled_from([TOKEN_SLOT, 0, 1, 2, 63]), max_size=4)
).map(lambda drawn: (drawn[0], *drawn[1]))
destinations = st.builds(
    Destination, pieces=pieces, type=st.sampled_from(UrlType), label=st.text(max_size=10)
)
moments = st.datetimes(timezones=st.just(UTC))
catalogues = st.builds(
    Catalogue,
    delivery_id=ids.map(DeliveryId),
    published_at=moments,
    urls=st.dictionaries(ids.filter((1).__ne__).map(UrlId), destinations, max_size=4),
    expires_at=st.none() | moments,
    substitution_url=st.none() | bases,
)


def _changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(PINNED) | changes).encode()


def _with_url(pieces: object, *, key: str = "2", code: object = 1) -> bytes:
    return _changed(urls={key: {"type": code, "label": "", "to": pieces}})


def test_the_bytes_of_a_file_are_pinned() -> None:
    """A catalogue that lies on a tracking server means the same after an update."""
    assert catalogue.encode(MEANING) == PINNED
    assert catalogue.decode(PINNED) == MEANING
    assert catalogue.file_name(DeliveryId(7)) == "7.json"


@given(catalogues)
def test_decode_inverts_encode(given_catalogue: Catalogue) -> None:
    """What was written is read back; killed: an `expires` that loses its microseconds."""
    assert catalogue.decode(catalogue.encode(given_catalogue)) == given_catalogue


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["format", "delivery", "urls", "1", "2", "to", "type", "published"]
                ),
                inner,
            )
        ),
    ).map(lambda document: json.dumps(document).encode())
)
@example(b"[" * 100_000)
@example(b'{"format":1,"urls":{"2":[]}}')
def test_foreign_bytes_are_refused_with_our_error_only(raw: bytes) -> None:
    """No bytes make another error than ours; killed: a depth that is left to the parser."""
    with pytest.raises(InvalidCatalogue):
        catalogue.decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        _changed(format=2),
        _changed(delivery=0),
        _changed(delivery=True),
        _changed(delivery=ID_MAX + 1),
        _changed(published="2026-01-02T03:04:05"),
        _changed(published=None),
        _changed(expires="0001-01-01T00:00:00+23:59"),
        _changed(expires="9999-12-31T23:59:59-23:59"),
        _changed(substitution="javascript:alert(1)"),
        _changed(substitution="https://x.example/\r\nSet-Cookie: a=b"),
        _changed(substitution="https://x.example/" + "a" * 9000),
        _changed(urls=[]),
        _with_url(["ftp://x.example/"]),
        _with_url(["//x.example/"]),
        _with_url(["https:///path"]),
        _with_url(["https://"]),
        _with_url([0, "https://x.example/"]),
        _with_url(["https://", 0, ".example/"]),
        _with_url(["https://x.example", 0]),
        _with_url(["https://x.example:", 0]),
        _with_url(["https://x.example/", 64]),
        _with_url(["https://x.example/", -2]),
        _with_url(["https://x.example/", True]),
        _with_url(["https://x.example/", None]),
        _with_url(["https://x.example/\n"]),
        _with_url(["https://x.example/a b"]),
        _with_url(["https://x.example/\ud800"]),
        _with_url(["https://x.example/" + "a" * 9000]),
        _with_url([]),
        _with_url("https://x.example/"),
        _with_url(["https://x.example/"], key="1"),
        _with_url(["https://x.example/"], key="02"),
        _with_url(["https://x.example/"], key="0"),
        _with_url(["https://x.example/"], key="٢"),
        _with_url(["https://x.example/"], key="9" * 19),
        _with_url(["https://x.example/"], code=99),
        _with_url(["https://x.example/"], code="1"),
        _with_url(["https://x.example/"], code=True),
        b" " * (catalogue.CATALOGUE_BYTES_MAX + 1),
    ],
)  # fmt: skip
def test_what_people_must_not_be_sent_by_is_refused(raw: bytes) -> None:
    """A file is refused whole before a person could follow it to a wrong place."""
    with pytest.raises(InvalidCatalogue):
        catalogue.decode(raw)


@pytest.mark.parametrize(
    ("pieces", "values", "expected"),
    [
        (("https://x.example/?a=1&b=2#c",), (), "https://x.example/?a=1&b=2#c"),
        (("https://x.example/?n=", 0), ("a&b=#/?%",), "https://x.example/?n=a%26b%3D%23%2F%3F%25"),
        (("https://x.example/?n=", 0), ("javascript:",), "https://x.example/?n=javascript%3A"),
        (("https://x.example/?n=", 0), (), "https://x.example/?n="),
        (("https://x.example/?n=", 1, "&m=", 0), ("a", "b"), "https://x.example/?n=b&m=a"),
        (("https://x.example/m/", TOKEN_SLOT), (), "https://x.example/m/thetoken"),
        (("https://x.example/?sig=a%2Fb%2Bc&x=1+2",), (), "https://x.example/?sig=a%2Fb%2Bc&x=1+2"),
        (("https://x.example/#color=grün",), (), "https://x.example/#color=gr%C3%BCn"),
        (("https://bücher.example:81/ü",), (), "https://xn--bcher-kva.example:81/%C3%BC"),
        (("https://x.example/?f[0]=a;b|c",), (), "https://x.example/?f[0]=a;b|c"),
        (("https://x.example/?n=", 0), ("\r\nSet-Cookie: a",),
         "https://x.example/?n=%0D%0ASet-Cookie%3A%20a"),
    ],
)  # fmt: skip
def test_a_location_is_spelled(
    pieces: tuple[str | int, ...], values: tuple[str, ...], expected: str
) -> None:
    """Stored bytes stay, values are only values, and a header can carry the result."""
    assert catalogue.location(Destination(pieces), values, "thetoken") == expected


@given(destinations, st.lists(st.text(max_size=10), max_size=3).map(tuple))
def test_no_value_changes_where_people_are_sent(
    destination: Destination, values: tuple[str, ...]
) -> None:
    """The host is that of the stored text, and the address is printable ASCII.

    Killed: values that are put in without being percent-encoded.
    """
    plain = catalogue.location(destination, (), "")
    spelled = catalogue.location(destination, values, "t")
    authority = plain.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]

    assert spelled.isascii()
    assert spelled.isprintable()
    assert spelled[: len(authority) + 8].lower().startswith(("http://", "https://"))
    assert spelled.partition("://")[2].startswith(authority)
