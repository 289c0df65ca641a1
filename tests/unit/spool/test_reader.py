"""The reader: whole lines, each byte once, nothing that a power cut could take back."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.errors import Corruption
from aftersend.model import logline
from aftersend.platform import files
from aftersend.platform.clock import ManualClock
from aftersend.spool import Chunk, Extent, acknowledge, extent, read, remove_acknowledged
from tests.support.spooling import AT, hit, opened, read_all

FIRST = "0x0000000000000001.log"


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """Give a spool of ten lines in segments of four."""
    writer = opened(tmp_path, segment_bytes_max=300)
    for number in range(1, 11):
        writer.append(AT, hit(number))
    writer.close()
    return tmp_path


def _numbers(*chunks: Chunk) -> list[int]:
    return [logline.decode(line).number for chunk in chunks for line in chunk.data.splitlines()]


def _damage(path: Path, number: int, *, byte: int = 3, value: bytes = b"\0") -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    index = number - int(path.stem, 16)
    lines[index] = lines[index][:byte] + value + lines[index][byte + len(value) :]
    path.write_bytes(b"".join(lines))


def test_lines_come_segment_by_segment(ten: Path) -> None:
    """Each chunk is a piece of one file, and says which and where."""
    chunks = read_all(ten)

    assert [(chunk.first, chunk.last, chunk.segment, chunk.offset) for chunk in chunks] == [
        (1, 4, "0x0000000000000001.log", 0),
        (5, 8, "0x0000000000000005.log", 0),
        (9, 10, "0x0000000000000009.log", 0),
    ]
    assert _numbers(*chunks) == list(range(1, 11))


@pytest.mark.parametrize("after", range(11))
@pytest.mark.parametrize("lines_max", [1, 2, 3, 100])
def test_reading_begins_and_stops_anywhere(ten: Path, after: int, lines_max: int) -> None:
    """Any position and any portion give the same lines, and every chunk its place in the file."""
    chunks = read_all(ten, after=after, lines_max=lines_max)

    assert _numbers(*chunks) == list(range(after + 1, 11))
    assert all(len(chunk.data.splitlines()) <= lines_max for chunk in chunks)
    for chunk in chunks:
        stored = (ten / chunk.segment).read_bytes()

        assert stored[chunk.offset : chunk.offset + len(chunk.data)] == chunk.data


@pytest.mark.parametrize("bytes_max", [1, 69, 70, 140, 200])
def test_a_portion_is_bounded_by_bytes(ten: Path, bytes_max: int) -> None:
    """No more than asked for, but always one line, or nobody would ever get on."""
    chunk = read(ten, after=1, lines_max=100, bytes_max=bytes_max)

    assert chunk is not None
    assert len(chunk.data) <= max(bytes_max, 70)
    assert _numbers(chunk)[0] == 2


def test_a_half_written_line_is_never_read(tmp_path: Path) -> None:
    """While a line is being written there is nothing of it to be had."""
    writer = opened(tmp_path)
    writer.append(AT, hit(1))
    with (tmp_path / FIRST).open("ab") as file:
        file.write(b"10x0000000000000002\t2026")

    assert _numbers(*read_all(tmp_path)) == [1]
    assert read(tmp_path, after=1, lines_max=9, bytes_max=999) is None

    writer.close()


def test_a_writer_goes_on_while_it_is_read(tmp_path: Path) -> None:
    """Every new line is there for the next call, over rotations too."""
    writer = opened(tmp_path, segment_bytes_max=200)
    found: list[int] = []
    for number in range(1, 20):
        writer.append(AT, hit(number))
        chunk = read(tmp_path, after=len(found), lines_max=9, bytes_max=9999)

        assert chunk is not None
        found += _numbers(chunk)
    writer.close()

    assert found == list(range(1, 20))


def test_what_is_read_was_synced_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come in after the sync are not handed on."""
    writer = opened(tmp_path)
    writer.append(AT, hit(1))

    def sync_late(_descriptor: int) -> None:
        if writer.state.last == 1:
            writer.append(AT, hit(2))

    monkeypatch.setattr(files, "sync", sync_late)

    assert _numbers(*read_all(tmp_path, lines_max=9)[:1]) == [1]

    monkeypatch.undo()
    writer.close()


def test_a_disk_that_cannot_sync_hands_nothing_on(
    ten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is an error: no line is given that may not be there tomorrow."""

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        read(ten, after=0, lines_max=9, bytes_max=999)


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("lines_max", [1, 2, 100])
def test_a_damaged_line_is_handed_on_once_with_its_neighbours(
    ten: Path, number: int, lines_max: int
) -> None:
    """Nothing behind a damaged line is lost, and the damage itself can be counted."""
    path = ten / f"0x{(number - 1) // 4 * 4 + 1:016X}.log"
    _damage(path, number, value=b"\0\0")
    stored = b"".join(each.read_bytes() for each in sorted(ten.glob("*.log")))
    if number == 10:  # the last of all waits for a good line behind it
        stored = stored[: stored.rfind(b"\n", 0, -1) + 1]

    assert b"".join(chunk.data for chunk in read_all(ten, lines_max=lines_max)) == stored


def test_a_damaged_last_line_is_handed_on_with_the_next(tmp_path: Path) -> None:
    """Damage at the end of the newest segment waits, but is not forgotten."""
    writer = opened(tmp_path)
    writer.append(AT, hit(1))
    writer.append(AT, hit(2))
    _damage(tmp_path / FIRST, 2)

    assert _numbers(*read_all(tmp_path)) == [1]

    writer.append(AT, hit(3))
    chunk = read(tmp_path, after=1, lines_max=1, bytes_max=999)

    assert chunk is not None
    assert chunk.last == 3
    assert chunk.data == (tmp_path / FIRST).read_bytes()[chunk.offset :]
    assert chunk.data.count(b"\n") == 2

    writer.close()


@pytest.mark.parametrize("after", range(10))
def test_a_wrong_number_misleads_nobody(ten: Path, after: int) -> None:
    """A flipped digit in a number is damage like any other: no line before or behind is skipped."""
    _damage(ten / "0x0000000000000005.log", 6, byte=3, value=b"7FFFFFFFFFFFFFFF")
    _damage(ten / FIRST, 3, byte=3, value=b"0000000000000002")
    found = [
        logline.decode(line).message_id
        for chunk in read_all(ten, after=after, lines_max=1)
        for line in chunk.data.splitlines()
    ]

    assert {each for each in range(after + 1, 11) if each not in (3, 6)} <= set(found)
    assert set(range(after + 1, 11)) - {3} <= set(found)


def test_a_segment_without_a_good_line_is_passed_on_whole(ten: Path) -> None:
    """Four lost lines are four rejected lines, and reading goes on behind them."""
    path = ten / "0x0000000000000005.log"
    path.write_bytes(b"\0\n" * 4)
    chunks = read_all(ten, lines_max=2)

    assert [(chunk.last, chunk.data) for chunk in chunks if chunk.segment == path.name] == [
        (8, b"\0\n" * 4)
    ]
    assert chunks[-1].last == 10


def test_a_segment_larger_than_any_block_is_searched(tmp_path: Path) -> None:
    """The search finds every position among long and short lines."""
    writer = opened(tmp_path)
    for number in range(1, 400):
        writer.append(AT, hit(number, user_agent="x" * (number * 7919 % 9000)))
    writer.close()

    for after in (0, 1, 17, 200, 397, 398):
        chunk = read(tmp_path, after=after, lines_max=1, bytes_max=99_999)

        assert chunk is not None
        assert _numbers(chunk) == [after + 1]


def test_a_spool_that_was_replaced_is_noticed(ten: Path) -> None:
    """Who has read more than there is would wait for ever; the sentence says what to do."""
    with pytest.raises(Corruption, match="make an empty file 0x0000000000000064"):
        read(ten, after=99, lines_max=9, bytes_max=999)

    (ten / "0x0000000000000064.log").touch()
    writer = opened(ten)

    assert writer.append(AT, hit()) == 100
    assert _numbers(*read_all(ten, after=99)) == [100]

    writer.close()


def test_an_empty_spool_has_nothing_to_read(tmp_path: Path) -> None:
    """No folder, no segment and no line are the same: nothing yet."""
    assert read(tmp_path / "none", after=0, lines_max=9, bytes_max=999) is None
    assert read(tmp_path, after=0, lines_max=9, bytes_max=999) is None
    assert extent(tmp_path / "none") == Extent(1, 0)

    opened(tmp_path).close()

    assert read(tmp_path, after=0, lines_max=9, bytes_max=999) is None
    assert extent(tmp_path) == Extent(1, 0)


def test_reading_goes_on_behind_removed_segments(ten: Path) -> None:
    """Who begins late begins with what is still there."""
    acknowledge(ten, "lake", 8)
    remove_acknowledged(ten)

    assert extent(ten) == Extent(9, 10)
    assert _numbers(*read_all(ten)) == [9, 10]


def test_a_segment_that_vanishes_meanwhile_is_skipped(
    ten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another reader's last acknowledgement may remove what was just listed."""
    (ten / FIRST).unlink()
    (ten / FIRST).symlink_to(ten / "nowhere")

    assert _numbers(*read_all(ten)) == [5, 6, 7, 8, 9, 10]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 299), st.binary(min_size=1, max_size=12)), max_size=4),
    st.integers(1, 4),
)
@example([(0, b"\n")], 1)
@example([(69, b"x")], 1)
@example([(68, b"\n\n")], 2)
@example([(90, b"\n")], 2)
def test_every_byte_is_handed_on_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]], lines_max: int
) -> None:
    """Whatever bytes are overwritten, a reader gets each segment whole, in order, without overlap.

    Killed: a cut behind a damaged line; a bisection that is believed without proof.
    """
    directory = tmp_path_factory.mktemp("spool")
    clock = ManualClock(AT)
    writer = opened(directory, clock, segment_bytes_max=300)
    for number in range(1, 11):
        writer.append(AT, hit(number))
    clock.advance(4000)
    writer.sync()
    writer.append(AT, hit(11))
    writer.close()
    for path in sorted(directory.glob("*.log"))[:-1]:
        raw = bytearray(path.read_bytes())
        for offset, data in changes:
            raw[offset : offset + len(data)] = data[: max(0, len(raw) - offset)]
        path.write_bytes(raw)
    chunks = read_all(directory, lines_max=lines_max)

    for path in directory.glob("*.log"):
        stored = path.read_bytes()
        pieces = [chunk for chunk in chunks if chunk.segment == path.name]

        assert b"".join(piece.data for piece in pieces) == stored[: stored.rfind(b"\n") + 1]
        assert [piece.offset for piece in pieces] == [
            sum(len(piece.data) for piece in pieces[:index]) for index in range(len(pieces))
        ]
