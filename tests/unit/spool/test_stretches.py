"""Where lines stand that a reader lacks: the same bytes as page after page."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.errors import Corruption
from aftersend.platform import files
from aftersend.platform.clock import ManualClock
from aftersend.spool import Stretch, pieces, read, stretches
from tests.support.spooling import AT, hit, opened, read_all

Place = tuple[str, int, bytes, int]


def _spool(directory: Path, count: int = 10) -> Path:
    """Write lines into segments of four; the newest is still being written."""
    writer = opened(directory, ManualClock(AT), segment_bytes_max=300)
    for number in range(1, count + 1):
        writer.append(AT, hit(number))
    writer.close()
    return directory


def _by_pages(directory: Path, *, after: int, lines_max: int) -> list[Place]:
    """Join the pages of each segment: its name, where they begin, their bytes, the last number."""
    places: list[Place] = []
    for chunk in read_all(directory, after=after, lines_max=lines_max):
        if places and places[-1][0] == chunk.segment:
            segment, offset, data, _ = places.pop()
            assert offset + len(data) == chunk.offset, "pages have no gaps"
            places.append((segment, offset, data + chunk.data, chunk.last))
        else:
            places.append((chunk.segment, chunk.offset, chunk.data, chunk.last))
    return places


def _by_stretches(
    directory: Path, *, after: int, count_max: int = 100, bytes_max: int = 7
) -> list[Place]:
    return [
        (
            each.segment,
            each.offset,
            b"".join(pieces(directory, each, bytes_max=bytes_max)),
            each.last,
        )
        for each in stretches(directory, after=after, count_max=count_max)
    ]


@pytest.mark.parametrize("after", range(11))
def test_stretches_are_what_pages_give(tmp_path: Path, after: int) -> None:
    """From any position on: the same segments, offsets, bytes and last numbers."""
    directory = _spool(tmp_path)

    assert _by_pages(directory, after=after, lines_max=2) == _by_stretches(directory, after=after)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 299), st.binary(min_size=1, max_size=12)), max_size=4),
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(1, 400),
)
@example([(0, b"\n")], 2, 1, 64)
@example([(69, b"x")], 2, 1, 64)
@example([(68, b"\n\n")], 1, 2, 1)
@example([(90, b"\n")], 2, 2, 64)
@example([(3, b"7FFFFFFF")], 2, 1, 64)
@example([(73, b"7FFFFFFFFFFFFFFF")], 2, 1, 64)
def test_damage_changes_nothing_of_that(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, bytes]],
    damaged: int,
    lines_max: int,
    bytes_max: int,
) -> None:
    """Whatever bytes are overwritten in whichever segment, a stream is the pages one by one.

    Killed: an end that is believed without counting lines; a closed segment without its last bytes.
    """
    directory = _spool(tmp_path_factory.mktemp("spool"))
    path = sorted(directory.glob("*.log"))[min(damaged, 2)]
    raw = bytearray(path.read_bytes())
    for offset, data in changes:
        raw[offset : offset + len(data)] = data[: max(0, len(raw) - offset)]
    path.write_bytes(raw)
    pages = _by_pages(directory, after=0, lines_max=lines_max)

    assert pages == _by_stretches(directory, after=0, bytes_max=bytes_max)
    for index, (_, _, _, last) in enumerate(pages):
        assert pages[index + 1 :] == _by_stretches(directory, after=last)


def test_a_bound_on_segments_says_where_to_ask_on(tmp_path: Path) -> None:
    """What is left over follows the last number told."""
    directory = _spool(tmp_path)

    first = stretches(directory, after=1, count_max=2)
    rest = stretches(directory, after=first[-1].last, count_max=2)

    assert [(each.segment[-5:-4], each.last) for each in first] == [("1", 4), ("5", 8)]
    assert [(each.offset, each.last) for each in rest] == [(0, 10)]


def test_what_a_crash_left_half_written_is_not_told(tmp_path: Path) -> None:
    """A stretch ends with a whole line."""
    directory = _spool(tmp_path, 2)
    path = directory / "0x0000000000000001.log"
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"10x0000000000000003\t2026")

    assert [Stretch(path.name, 0, size, 2)] == stretches(directory, after=0, count_max=9)


def test_nothing_new_and_nothing_at_all_are_no_stretch(tmp_path: Path) -> None:
    """Who has everything gets nothing; who has more than there is, is told."""
    directory = _spool(tmp_path)

    assert stretches(directory, after=10, count_max=9) == []
    assert stretches(tmp_path / "none", after=0, count_max=9) == []
    with pytest.raises(Corruption, match="emptied"):
        stretches(directory, after=11, count_max=9)


def test_what_is_told_was_synced_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot sync hands nothing on."""
    directory = _spool(tmp_path)

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        stretches(directory, after=0, count_max=9)


def test_a_segment_that_goes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """Whoever reads on learns that bytes are missing, in place of getting fewer."""
    directory = _spool(tmp_path)
    first, second, *_ = stretches(directory, after=0, count_max=9)
    (directory / first.segment).unlink()
    (directory / second.segment).write_bytes(b"x" * 10)

    with pytest.raises(FileNotFoundError):
        list(pieces(directory, first, bytes_max=64))
    with pytest.raises(OSError, match="shorter"):
        list(pieces(directory, second, bytes_max=64))


def test_damage_in_the_middle_does_not_hide_the_end(tmp_path: Path) -> None:
    """The newest segment ends with its last good line, though one before is damaged."""
    directory = _spool(tmp_path, 3)
    path = directory / "0x0000000000000001.log"
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"\n10x", b"\n\0\0x", 1))

    (stretch,) = stretches(directory, after=0, count_max=9)
    chunk = read(directory, after=0, lines_max=9, bytes_max=9999)

    assert chunk is not None
    assert (stretch.size, stretch.last) == (len(chunk.data), chunk.last) == (len(raw), 3)
