"""Streams of lines: cut into chunks that anybody can ask on from."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend import spool
from aftersend.platform.clock import ManualClock
from aftersend.tracking import stream
from aftersend.tracking.stream import Chunk, Cutter, Misfit, Place, places_of
from tests.support.spooling import AT, SERVER, hit, opened, read_all

FIRST, FIFTH = "0x0000000000000001.log", "0x0000000000000005.log"


def _spool(directory: Path, count: int = 10) -> Path:
    writer = opened(directory, ManualClock(AT), segment_bytes_max=300)
    for number in range(1, count + 1):
        writer.append(AT, hit(number))
    writer.close()
    return directory


def _told(directory: Path, after: int) -> tuple[list[Place], bytes]:
    """Tell what a server tells of a stream, and its bytes."""
    found = spool.stretches(directory, after=after, count_max=100)
    header = ";".join(f"{each.segment}@{each.offset}+{each.size}" for each in found)
    body = b"".join(
        piece for each in found for piece in spool.pieces(directory, each, bytes_max=1 << 20)
    )
    return places_of(header, after=after, last=found[-1].last), body


def _cut(places: Sequence[Place], pieces: Iterator[bytes]) -> tuple[list[Chunk], Cutter]:
    cutter = Cutter(SERVER, places)
    chunks = [chunk for piece in pieces for chunk in cutter.take(piece)]
    if not cutter.is_complete and (rest := cutter.rest()) is not None:
        chunks.append(rest)
    return chunks, cutter


def _in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def _bytes_after(directory: Path, after: int) -> bytes:
    return b"".join(chunk.data for chunk in read_all(directory, after=after))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 299), st.binary(min_size=1, max_size=12)), max_size=3),
    st.integers(0, 2),
    st.integers(1, 300),
    st.integers(0, 800),
    st.integers(1, 300),
)
@example([], 0, 1, 800, 1)
@example([(69, b"x")], 1, 7, 800, 1)
@example([(3, b"7FFFFFFFFFFFFFFF")], 1, 70, 150, 1)
@example([(3, b"0000000000000003")], 0, 70, 75, 1)
@example([(68, b"\n\n")], 2, 35, 700, 140)
def test_from_every_chunk_on_the_rest_follows(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, bytes]],
    damaged: int,
    piece_bytes: int,
    broken_at: int,
    chunk_bytes: int,
) -> None:
    """Whatever is damaged, however bytes come in, wherever they end: no byte is lost or doubled.

    Killed: a number that is believed without counting lines.
    """
    directory = _spool(tmp_path_factory.mktemp("spool"))
    path = sorted(directory.glob("*.log"))[damaged]
    raw = bytearray(path.read_bytes())
    for offset, data in changes:
        raw[offset : offset + len(data)] = data[: max(0, len(raw) - offset)]
    path.write_bytes(raw)
    whole = _bytes_after(directory, 0)
    places, body = _told(directory, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_CHUNK_BYTES", chunk_bytes)
        chunks, cutter = _cut(places, _in_pieces(body[:broken_at], piece_bytes))

    assert body == whole
    assert cutter.is_complete == (broken_at >= len(body))
    taken = 0
    for chunk in chunks:
        taken += len(chunk.data)
        stored = (directory / chunk.segment).read_bytes()

        assert chunk.data == stored[chunk.offset : chunk.offset + len(chunk.data)]
        assert body[:taken] + _bytes_after(directory, chunk.last) == whole
    assert all(one.last < two.last for one, two in pairwise(chunks))
    assert taken == len(body) or not cutter.is_complete


def test_sound_lines_are_kept_when_a_stream_breaks_off(tmp_path: Path) -> None:
    """All whole lines that have come are there; the half one is not."""
    places, body = _told(_spool(tmp_path), 0)
    line = body.index(b"\n") + 1

    chunks, _ = _cut(places, _in_pieces(body[: 2 * line + 5], 9))

    assert [(2, body[: 2 * line], FIRST, 0)] == [
        (each.last, each.data, each.segment, each.offset) for each in chunks
    ]


def test_places_say_which_numbers_they_hold() -> None:
    """A stretch ends before the first number of the next segment; the last one at the end told."""
    header = f"{FIRST}@140+140;{FIFTH}@0+70"

    assert [Place(FIRST, 140, 140, 3, 4), Place(FIFTH, 0, 70, 5, 5)] == places_of(
        header, after=2, last=5
    )


@pytest.mark.parametrize(
    ("header", "after", "last"),
    [
        ("x", 0, 5),
        (f"{FIRST}@0+0", 0, 5),
        (f"{FIRST}@-1+5", 0, 5),
        (f"{FIRST}@0+5;", 0, 5),
        ("../passwords@0+5", 0, 5),
        (f"{FIRST}@0+5", 5, 5),
        (f"{FIRST}@0+5", 0, -1),
        (f"{FIFTH}@0+5;{FIRST}@0+5", 0, 9),
        (f"{FIRST}@0+5;{FIRST}@5+5", 0, 9),
        (f"{FIRST}@0+5;{FIFTH}@0+5", 4, 9),
    ],
)
def test_places_that_cannot_be_are_refused(header: str, after: int, last: int) -> None:
    """What contradicts itself is no list of places."""
    with pytest.raises(Misfit):
        places_of(header, after=after, last=last)


def test_a_stream_must_be_what_was_told(tmp_path: Path) -> None:
    """Longer than told, or without a line's end where one must be."""
    places, body = _told(_spool(tmp_path), 0)

    with pytest.raises(Misfit, match="longer"):
        _cut(places, iter([body, b"x"]))
    with pytest.raises(Misfit, match="whole lines"):
        _cut(places, iter([b"x" * len(body)]))


def test_memory_does_not_grow_with_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks are cut off as soon as they can be; where they cannot, that is told."""
    monkeypatch.setattr(stream, "_CHUNK_BYTES", 100)
    monkeypatch.setattr(stream, "HELD_BYTES_MAX", 150)
    places, body = _told(_spool(tmp_path), 0)
    cutter = Cutter(SERVER, places)

    held = []
    for piece in _in_pieces(body, 10):
        list(cutter.take(piece))
        held.append(len(cutter._held))

    assert max(held) <= 150
    assert not cutter.is_stuck

    cutter = Cutter(SERVER, places)
    for piece in _in_pieces(body[:270].replace(b"\n1", b"\n\0"), 10):
        list(cutter.take(piece))

    assert cutter.is_stuck
