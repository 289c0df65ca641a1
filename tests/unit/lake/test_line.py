"""Log lines by the column: the same as line by line."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.errors import InvalidLine
from aftersend.lake.line import parse
from aftersend.model import logline
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LINE_BYTES_MAX, LogLine
from tests.support.effort import examples

ids = st.integers(0, ID_MAX) | st.integers(0, 300)
free = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "Mozilla/5.0", "a\\b", "\\x", "tab\there", "ü", "\\x09", "%0A", "'", '"']
)
lines = st.builds(
    LogLine,
    server=st.sampled_from("09AZaz").map(ServerId),
    number=ids,
    at=st.datetimes(timezones=st.just(UTC)),
    message_id=ids.map(MessageId),
    delivery_id=ids.map(DeliveryId),
    url_id=ids.map(UrlId),
    flags=st.sampled_from(["0", "u", "h", "x", "uhx"]),
    source_id=st.uuids().map(str) | st.just(""),
    part=st.sampled_from(["", *"htsail"]),
    parameters=free,
    user_agent=free,
    address=st.ip_addresses().map(str) | st.just("") | st.just("10.0.0.1, 10.0.0.2"),
)
moments = st.sampled_from(
    [
        *("0000-01-01T00:00:00.0", "0001-01-01T00:00:00.0", "9999-12-31T23:59:59.999999"),
        *("2026-01-02T24:00:00.0", "2026-01-02T23:59:60.0", "2026-01-02T23:60:00.000"),
        *("2026-02-29T00:00:00.1", "2024-02-29T00:00:00.12", "2026-00-10T00:00:00.123456"),
        *("2026-13-10T00:00:00.1", "2026-01-00T00:00:00.1", "2026-01-32T00:00:00.1"),
        *("2026-01-02T99:00:00.1", "1969-12-31T23:59:59.5", "2026-01-02T03:04:05."),
    ]
)
numbers = st.sampled_from(["7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "0", "F"])


@st.composite
def raw_lines(draw: st.DrawFn) -> bytes:
    """Make a line that is good, nearly good, or damaged."""
    raw = logline.encode(draw(lines))
    kind = draw(st.sampled_from(["good", "good", "moment", "number", "id", "byte", "cut", "junk"]))
    fields = raw.split(b"\t")
    if kind == "moment":
        fields[1] = draw(moments).encode()
        return b"\t".join(fields)
    if kind == "number":
        fields[draw(st.integers(2, 4))] = draw(numbers).encode()
        return b"\t".join(fields)
    if kind == "id":
        fields[0] = fields[0][:3] + draw(numbers).upper().zfill(16).encode()
        return b"\t".join(fields)
    if kind == "byte":
        place = draw(st.integers(0, len(raw) - 2))
        new = draw(st.sampled_from([b"", b"\t", b"\r", b"\0", b"\xff", b"\\", b"g", b",", b"0"]))
        return raw[:place] + new + raw[place + draw(st.integers(0, 1)) :]
    if kind == "cut":
        return raw[: draw(st.integers(0, len(raw) - 1))] + b"\n"
    if kind == "junk":
        return draw(st.binary(max_size=12)).replace(b"\n", b"") + b"\n"
    return raw


def one_by_one(raw: bytes) -> tuple[list[tuple[int, LogLine]], list[tuple[int, str, bytes]]]:
    """Read lines with the decoder of single lines."""
    valid, rejected, at = [], [], 0
    for piece in raw.split(b"\n"):
        line = raw[at : at + len(piece) + 1]
        if not line:
            break
        try:
            valid.append((at, logline.decode(line)))
        except InvalidLine as error:
            rejected.append((at, error.reason, piece))
        at += len(line)
    return valid, rejected


def by_column(raw: bytes) -> tuple[list[tuple[int, LogLine]], list[tuple[int, str, bytes]]]:
    """Read lines with the columnar parser."""
    parsed = parse(raw)
    valid = [_line(row) for row in parsed.valid.to_pylist()]
    rows = parsed.rejected.to_pylist()
    return valid, [(row["byte_at"], row["reason"], row["bytes"]) for row in rows]


def _line(row: dict[str, Any]) -> tuple[int, LogLine]:
    byte_at, log_id = row.pop("byte_at"), row.pop("log_id")
    assert log_id == logline.log_id(log_id[0], row["number"])
    return byte_at, LogLine(server=ServerId(log_id[0]), **row)


GOOD = logline.encode(
    LogLine(
        ServerId("1"), 1, datetime(2026, 1, 2, tzinfo=UTC), MessageId(5), DeliveryId(7), UrlId(1)
    )
)


@settings(max_examples=examples(150), deadline=None)
@given(raw=st.lists(raw_lines(), max_size=12).map(b"".join), has_end=st.booleans())
@example(raw=b"", has_end=True)
@example(raw=b"\n\n" + GOOD + b"\r\n", has_end=False)
@example(raw=b"x" + GOOD + GOOD.replace(b"\n", b"\x7f\n"), has_end=True)
@example(raw=GOOD.replace(b"T00:", b"T24:"), has_end=True)
@example(raw=GOOD.replace(b"T00:", b"T25:").replace(b"10x0", b"10x8"), has_end=True)
@example(raw=GOOD.replace(b"2026", b"0000"), has_end=True)
@example(raw=GOOD.replace(b"\t5\t", b"\t8000000000000000\t"), has_end=True)
def test_the_columnar_parser_says_what_the_decoder_says(raw: bytes, has_end: bool) -> None:
    """For any lines, both give the same columns, the same reasons and the same bytes.

    Mutants killed: hour 24 and year 0 accepted; numbers of 64 bits wrapped or made null; a search
    in place of a whole match; escapes left as they are; reasons in another order; the last line
    dropped when it has no line feed.
    """
    raw = raw if has_end else raw.removesuffix(b"\n")

    assert one_by_one(raw) == by_column(raw)


def test_a_line_at_the_limit_is_read_and_one_behind_it_is_not() -> None:
    """The limit of a line's length is the same in both, its line feed counted."""
    room = LINE_BYTES_MAX - len(GOOD)
    longest = GOOD.replace(b"\t0\t\t\t\t", b"\t0\t\t\t\t" + b"x" * room)
    assert len(longest) == LINE_BYTES_MAX
    too_long = longest.replace(b"x", b"xx", 1)

    for raw in (longest, longest[:-1] + b"y", too_long, too_long + GOOD):
        assert one_by_one(raw) == by_column(raw)


def test_many_lines_come_out_in_their_order() -> None:
    """A hundred thousand lines stay in their order, good and bad ones."""
    raw = b"".join(
        GOOD.replace(b"0000000001", b"%010X" % number) if number % 1000 else b"damaged\n"
        for number in range(1, 100_001)
    )

    lines = parse(raw)

    numbers = lines.valid["number"].to_pylist()
    assert [number for number in range(1, 100_001) if number % 1000] == numbers
    assert ["fields"] * 100 == lines.rejected["reason"].to_pylist()
    assert [raw.index(b"damaged"), 100] == [lines.rejected["byte_at"][0].as_py(), raw.count(b"da")]
