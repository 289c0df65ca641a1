"""Log lines: what a tracking server writes, byte for byte."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.errors import InvalidLine
from aftersend.model import logline
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LogLine

PINNED = {
    b"10x00000000000000FF\t2026-01-02T03:04:05.000006\t1f506d71\t1aeab4b6\t1\t0"
    b"\t\th\t\t\t\n": LogLine(
        server=ServerId("1"),
        number=255,
        at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        message_id=MessageId(0x1F506D71),
        delivery_id=DeliveryId(0x1AEAB4B6),
        url_id=UrlId(1),
        part="h",
    ),
    b"Z0x7FFFFFFFFFFFFFFF\t9999-12-31T23:59:59.999999\t0\t7fffffffffffffff\tff\tuh"
    b"\te5155671-4ab7-4000-8000-000000000000\tt\tamount=10&article=2"
    b"\tM\\x09\\x0a\\x5c\\xc3\\xbc~\t2001:db8::1,1.2.3.4\n": LogLine(
        server=ServerId("Z"),
        number=ID_MAX,
        at=datetime.max.replace(tzinfo=UTC),
        message_id=MessageId(0),
        delivery_id=DeliveryId(ID_MAX),
        url_id=UrlId(255),
        flags="uh",
        source_id="e5155671-4ab7-4000-8000-000000000000",
        part="t",
        parameters="amount=10&article=2",
        user_agent="M\t\n\\ü~",
        address="2001:db8::1,1.2.3.4",
    ),
}

ids = st.integers(0, ID_MAX)
free = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
lines = st.builds(
    LogLine,
    server=st.sampled_from("0189AZaz").map(ServerId),
    number=ids,
    at=st.datetimes(timezones=st.just(UTC)),
    message_id=ids.map(MessageId),
    delivery_id=ids.map(DeliveryId),
    url_id=ids.map(UrlId),
    flags=st.sampled_from(["0", "u", "h", "x", "uh", "uhx"]),
    source_id=st.uuids().map(str) | st.just(""),
    part=st.sampled_from(["", *"htsail"]),
    parameters=free,
    user_agent=free,
    address=st.ip_addresses().map(str) | st.just(""),
)


@pytest.mark.parametrize(("raw", "line"), PINNED.items())
def test_the_bytes_of_a_line_are_pinned(raw: bytes, line: LogLine) -> None:
    """A line on a disk means the same for ever."""
    assert logline.encode(line) == raw
    assert logline.decode(raw) == line


def test_the_documented_example_is_a_line() -> None:
    """The published line (spec §4.7) is read, and its number is the one that its file tells."""
    raw = (
        b"50x000000000FD7EC86\t2017-06-24T21:00:50.96\t1f506d71\t1aeab4b6\t1af77020\t0"
        b"\te5155671-4ab7-4bd4-8b2c-000000000000\th\t\tMozilla/5.0\t52.46.20.64"
    )

    line = logline.decode(raw)

    assert (line.server, line.number % 4096 + 1) == ("5", 3207)
    assert line.at == datetime(2017, 6, 24, 21, 0, 50, 960_000, UTC)


@given(lines)
@example(replace(next(iter(PINNED.values())), user_agent="\\x41", parameters="\\"))
def test_decode_inverts_encode(line: LogLine) -> None:
    """What was written is read back; killed: an escape that lets backslashes pass."""
    raw = logline.encode(line)

    assert logline.decode(raw) == line
    assert raw.count(b"\t") == 10
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert re.fullmatch(logline.PATTERN, raw.rstrip(b"\n"))


@given(st.binary(max_size=200))
@example(b"\t" * 10)
@example(b"\n" * 10)
@example(b"x" * 20_000)
def test_foreign_bytes_are_refused_with_our_error_only(raw: bytes) -> None:
    """No bytes make another error than ours; killed: a decode that trusts the count of tabs."""
    with pytest.raises(InvalidLine):
        logline.decode(raw)


@given(lines, st.data())
def test_a_flipped_byte_never_raises_another_error(line: LogLine, data: st.DataObject) -> None:
    """Damage is refused with our error or reads as another line; killed: no look at the pattern."""
    raw = bytearray(logline.encode(line))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = logline.decode(bytes(raw))
    except InvalidLine:
        return

    assert isinstance(found, LogLine)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"\th\t", b"\th"), "fields"),
        ((b"\th\t", b"\th\t\t"), "fields"),
        ((b"10x", b"10X"), "shape"),
        ((b"10x", b"-0x"), "shape"),
        ((b"FF\t", b"ff\t"), "shape"),
        ((b"2026-01-02", b"2026-02-30"), "time"),
        ((b"\t1f506d71\t", b"\tffffffffffffffff\t"), "number"),
        ((b"\t1f506d71\t", b"\t\t"), "shape"),
        ((b"\n", b"x" * 20_000), "length"),
        ((b"\t0\t", b"\t1\t"), "shape"),
    ],
)
def test_a_refusal_says_why(change: tuple[bytes, bytes], reason: str) -> None:
    """The reason is a word that runs add up by."""
    raw = next(iter(PINNED)).replace(*change)

    with pytest.raises(InvalidLine) as caught:
        logline.decode(raw)

    assert reason == caught.value.reason


@given(st.text())
@example("\ud800")
def test_escaped_text_fits_a_field_and_comes_back(text: str) -> None:
    """Any text fits; what UTF-8 can spell comes back; killed: DEL left as it is."""
    field = logline.escape(text)

    assert re.fullmatch(r"[ -~]*", field)
    assert logline.unescape(field) == text.encode(errors="replace").decode()
