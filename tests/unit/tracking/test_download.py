"""Downloading lines into the inbox."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, get_ident
from threading import enumerate as enumerate_threads

import pytest

from aftersend.errors import InvalidInput
from aftersend.model.ids import ServerId
from aftersend.tracking import inbox
from aftersend.tracking.download import download
from aftersend.tracking.source import Chunk
from tests.support.tracking import FakeSource, make_world, story_sources

ONE = ServerId("1")


def test_lines_come_into_the_inbox_as_they_are(tmp_path: Path) -> None:
    """Every byte of every server is in the inbox once, and files know where it stood."""
    world = make_world(tmp_path)
    sources = story_sources()

    report = download(world.context(sources))

    for source in sources:
        files = inbox.pending(world.inbox, source.server)
        assert b"".join(raw for _, raw in source.lines) == b"".join(
            file.path.read_bytes() for file in files
        )
        assert [1, *(file.last + 1 for file in files[:-1])] == [file.first for file in files]
        for file in files:
            segment = int(file.segment[2:18], 16)
            lines = source.lines[segment * 7 : segment * 7 + 7]
            whole = b"".join(raw for _, raw in lines)
            data = file.path.read_bytes()
            assert data == whole[file.offset : file.offset + len(data)]
    assert not report.is_warning


def test_what_waits_is_not_asked_for_again(tmp_path: Path) -> None:
    """A second download begins behind the inbox, a third behind the pointer."""
    world = make_world(tmp_path)
    download(world.context(story_sources()))
    waiting = inbox.pending(world.inbox, ONE)

    download(world.context(story_sources()))

    assert waiting == inbox.pending(world.inbox, ONE)
    world.run(story_sources())
    download(world.context(story_sources()))
    assert [] == inbox.pending(world.inbox, ONE)


def test_a_server_that_is_down_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """It is named in a warning; the lines of the others are there."""
    world = make_world(tmp_path)
    sources = story_sources()
    sources[0].is_down = True

    report = download(world.context(sources))

    assert report.is_warning
    assert "Tracking server 1 does not answer." in report.text
    assert [ServerId("2")] == inbox.servers(world.inbox)


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    """Lines that were received are not thrown away because the next answer is bad."""

    class Failing(FakeSource):
        def read(self, after: int) -> Chunk | None:
            if after >= 3:
                raise InvalidInput("It answers nonsense.")
            return FakeSource.read(self, after)

    world = make_world(tmp_path)
    lines = story_sources()[0].lines

    report = download(world.context([Failing(ONE, lines)]))

    assert "It answers nonsense." in report.text
    assert [3] == [file.last for file in inbox.pending(world.inbox, ONE)]


def test_a_file_holds_no_more_lines_than_a_commit(tmp_path: Path) -> None:
    """Small answers are put together, but not beyond what is loaded at once."""
    world = make_world(tmp_path)
    world.load_lines_max = 5

    download(world.context(story_sources(lines_max=1)))

    sizes = [file.last - file.first + 1 for file in inbox.pending(world.inbox, ONE)]
    assert 5 == max(sizes)
    assert len(sizes) < 15


def test_what_a_crash_left_half_written_is_removed(tmp_path: Path) -> None:
    """Only whole files are lines; the rest goes."""
    world = make_world(tmp_path)
    folder = world.inbox / ONE
    folder.mkdir(parents=True)
    (folder / ".0000.lines.abc").write_bytes(b"half")
    (folder / "README").write_bytes(b"not ours")

    download(world.context(story_sources()))

    names = {path.name for path in folder.iterdir()}
    assert "README" in names
    assert not any(name.startswith(".") for name in names)
    assert "README" not in {file.path.name for file in inbox.pending(world.inbox, ONE)}


@dataclass(slots=True)
class Meeting(FakeSource):
    """A server that answers only while `at_once` of them are being asked."""

    barrier: Barrier = field(default_factory=lambda: Barrier(1))

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Wait for the others."""
        self.barrier.wait(20)
        return FakeSource.chunks(self, after)


def test_servers_are_asked_side_by_side(tmp_path: Path) -> None:
    """Two servers that only answer together do so.

    Mutant killed: one thread for all servers.
    """
    world = make_world(tmp_path)
    barrier = Barrier(2)
    sources = [Meeting(each.server, each.lines, barrier=barrier) for each in story_sources()]

    report = download(world.context(sources))

    assert not report.is_warning, report.text
    assert ["1", "2"] == inbox.servers(world.inbox)


def test_no_more_servers_are_asked_at_once_than_allowed(tmp_path: Path) -> None:
    """With one at once, the second is asked when the first has said all.

    Mutant killed: a thread for each server.
    """
    asked: list[str] = []

    class Noting(FakeSource):
        def chunks(self, after: int) -> Iterator[Chunk]:
            asked.append(f"begun {self.server}")
            yield from FakeSource.chunks(self, after)
            asked.append(f"ended {self.server}")

    world = make_world(tmp_path)
    context = world.context([Noting(each.server, each.lines) for each in story_sources()])
    settings = context.settings.model_copy(update={"servers_at_once": 1})

    download(replace(context, settings=settings))

    assert ["begun 1", "ended 1", "begun 2", "ended 2"] == asked


def test_a_run_that_ends_between_two_files_leaves_no_thread(tmp_path: Path) -> None:
    """Points are passed by the thread of the run, and what it raises ends the others."""

    class Stopped(BaseException):
        pass

    passed: list[int] = []

    def stop(point: str) -> None:
        passed.append(get_ident())
        if point == "download:kept":
            raise Stopped

    world = make_world(tmp_path)
    world.load_lines_max = 1

    with pytest.raises(Stopped):
        download(world.context(story_sources(lines_max=1), stop))

    assert {get_ident()} == set(passed)
    assert not [each for each in enumerate_threads() if each.name.startswith("download")]
    assert 1 == sum(1 for _ in world.inbox.rglob("*.lines"))


def test_an_error_nobody_thought_of_ends_the_step(tmp_path: Path) -> None:
    """A fault of ours in a thread is not lost there."""

    class Broken(FakeSource):
        def chunks(self, after: int) -> Iterator[Chunk]:
            raise ZeroDivisionError(after)

    world = make_world(tmp_path)

    with pytest.raises(ZeroDivisionError):
        download(world.context([Broken(ONE, []), *story_sources()[1:]]))


def test_two_ways_to_one_server_are_asked_in_turn(tmp_path: Path) -> None:
    """The second goes on where the first ended: no line comes into the inbox twice."""
    world = make_world(tmp_path)
    lines = story_sources()[0].lines

    download(world.context([FakeSource(ONE, lines[:6]), FakeSource(ONE, lines)]))

    files = inbox.pending(world.inbox, ONE)
    assert [1, *(file.last + 1 for file in files[:-1])] == [file.first for file in files]
    assert b"".join(raw for _, raw in lines) == b"".join(file.path.read_bytes() for file in files)
