"""The lines that loading is measured with."""

from pathlib import Path

from aftersend.errors import InvalidLine
from aftersend.model.logline import LogLine, decode
from bench import lines


def _decode(raw: bytes) -> LogLine | None:
    try:
        return decode(raw)
    except InvalidLine:
        return None


def test_format(tmp_path: Path) -> None:
    """All lines follow the format but one in ten thousand, and speak of known messages."""
    lines.write(tmp_path / "lines", 20_000)

    read = [_decode(raw) for raw in (tmp_path / "lines").read_bytes().splitlines(keepends=True)]

    assert [7_777, 17_777] == [place for place, line in enumerate(read) if line is None]
    assert [
        line
        for line in read
        if line
        and not (
            0 <= line.message_id - lines.FIRST_MESSAGE < lines.MESSAGES
            and line.delivery_id == 1 + (line.message_id - lines.FIRST_MESSAGE) % lines.DELIVERIES
            and (line.url_id == 1 or (line.url_id - 2) // lines.URLS == line.delivery_id - 1)
        )
    ] == []


def test_repeatable(tmp_path: Path) -> None:
    """The same number gives the same lines, so that figures of two days can be compared."""
    lines.write(tmp_path / "a", 1_000)
    lines.write(tmp_path / "b", 1_000)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
