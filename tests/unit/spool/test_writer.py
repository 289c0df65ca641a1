"""The writer: whole lines in order, whatever the disk does."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.errors import Busy, Transient
from aftersend.model import logline
from aftersend.model.ids import DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LogLine
from aftersend.platform.clock import ManualClock
from aftersend.spool import Hit, State, Writer, acknowledge
from tests.support.spooling import AT, SERVER, hit, kill, opened, stored_lines

Fault = Callable[[int], int | OSError]


@pytest.fixture
def fail_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Fault | None], None]:
    """Let a function decide what becomes of each write of n bytes into the folder of the test."""
    real = os.write

    def choose(fault: Fault | None) -> None:
        def write(descriptor: int, data: bytes) -> int:
            inside = Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(tmp_path)
            if fault is None or not inside:
                return real(descriptor, data)
            outcome = fault(len(data))
            if isinstance(outcome, OSError):
                raise outcome
            return real(descriptor, data[:outcome])

        monkeypatch.setattr(os, "write", write)

    return choose


def _full(_count: int) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def _names(directory: Path, pattern: str = "*.log") -> list[str]:
    return sorted(path.name for path in directory.glob(pattern))


free = st.text(max_size=30)
hits = st.builds(
    Hit,
    message_id=st.integers(0, 2**63 - 1),
    delivery_id=st.integers(0, 2**63 - 1),
    url_id=st.integers(0, 2**63 - 1),
    flags=st.sampled_from(["0", "u", "uh"]),
    source_id=st.uuids().map(str) | st.just(""),
    part=st.sampled_from(["", "h", "t"]),
    parameters=free,
    user_agent=free | st.sampled_from(["a", "a\\b", "Mozilla", "\ud800", "a\tb"]),
    address=st.ip_addresses().map(str) | free,
)


# Close to each other, back and forth, on both edges of a second, and any.
times = st.sampled_from([AT, datetime.max.replace(tzinfo=UTC)]) | st.builds(
    lambda seconds, micros: AT.replace(microsecond=0) + timedelta(0, seconds, micros),
    st.integers(-2, 2),
    st.sampled_from([0, 1, 500_000, 999_999]),
)
times |= st.datetimes(timezones=st.just(UTC))


@settings(deadline=None)
@given(st.lists(st.tuples(times, hits), max_size=9))
@example([(datetime.min.replace(tzinfo=UTC), hit(1))])
@example(
    [(AT.replace(microsecond=0) + timedelta(0, 0, n), hit(1)) for n in (999_999, 1_000_000, 0, -1)]
)
def test_a_line_is_what_the_format_says(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[datetime, Hit]]
) -> None:
    """The writer's own spelling and that of the format are the same bytes.

    Killed: a text of the second that outlives its minute, or its second by one microsecond at
    either end; an escape of parameters or addresses that looks for less than the format does.
    """
    directory = tmp_path_factory.mktemp("spool")
    writer = opened(directory)
    numbers = [writer.append(at, each) for at, each in drawn]
    writer.close()
    expected = b"".join(
        logline.encode(
            LogLine(
                server=SERVER,
                number=number,
                at=at,
                message_id=MessageId(each.message_id),
                delivery_id=DeliveryId(each.delivery_id),
                url_id=UrlId(each.url_id),
                flags=each.flags,
                source_id=each.source_id,
                part=each.part,
                parameters=each.parameters,
                user_agent=each.user_agent,
                address=each.address,
            )
        )
        for number, (at, each) in zip(numbers, drawn, strict=True)
    )

    assert (directory / "0x0000000000000001.log").read_bytes() == expected


def test_user_agents_are_remembered_within_bounds(tmp_path: Path) -> None:
    """A stranger who changes names all the time takes no memory, and each name is still spelled.

    Killed: a spelling that is kept for another name.
    """
    writer = opened(tmp_path)
    names = [f"agent\t{number}" for number in range(2000)] + ["agent\t1999", "\\" * 2000]
    for name in names:
        writer.append(AT, hit(user_agent=name))
    writer.close()

    assert names == [line.user_agent for line in stored_lines(tmp_path)]
    assert len(writer._agents) <= 1024
    assert max(map(len, writer._agents)) < 2000


def test_an_address_is_escaped_too(tmp_path: Path) -> None:
    """Whatever comes as an address stays in its field."""
    writer = opened(tmp_path)
    for address in ("192.0.2.1\t", "é", "\\"):
        writer.append(AT, hit()._replace(address=address))
    writer.close()

    raw = (tmp_path / "0x0000000000000001.log").read_bytes()

    assert [b"192.0.2.1\\x09", b"\\xc3\\xa9", b"\\x5c"] == [
        line.split(b"\t")[10] for line in raw.splitlines()
    ]


def test_a_line_is_with_the_kernel_when_append_returns(tmp_path: Path) -> None:
    """Nothing is buffered in the process: a killed one loses nothing."""
    writer = opened(tmp_path)

    assert [writer.append(AT, hit(n)) for n in (5, 6)] == [1, 2]
    assert [line.message_id for line in stored_lines(tmp_path)] == [5, 6]

    writer.close()


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """The next writer continues the newest segment with the next number."""
    writer = opened(tmp_path)
    writer.append(AT, hit())
    writer.close()
    writer = opened(tmp_path)

    assert writer.append(AT, hit()) == 2
    assert _names(tmp_path) == ["0x0000000000000001.log"]

    writer.close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two writers would give the same numbers; the second gets a sentence and changes nothing."""
    writer = opened(tmp_path)
    with pytest.raises(Busy, match="in use by another tracking server"):
        opened(tmp_path)
    writer.close()

    opened(tmp_path).close()


def test_segments_end_by_size(tmp_path: Path) -> None:
    """No segment outgrows its limit, and each is named by the number of its first line."""
    writer = opened(tmp_path, segment_bytes_max=200)
    for _ in range(5):
        writer.append(AT, hit())
    writer.close()

    assert _names(tmp_path) == [f"0x{first:016X}.log" for first in (1, 3, 5)]
    assert all(path.stat().st_size <= 200 for path in tmp_path.glob("*.log"))
    assert [line.number for line in stored_lines(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_line_longer_than_a_segment_has_one_of_its_own(tmp_path: Path) -> None:
    """A limit never splits or drops a line."""
    writer = opened(tmp_path, segment_bytes_max=100)
    for _ in range(3):
        writer.append(AT, hit(user_agent="x" * 300))
    writer.close()

    assert len(_names(tmp_path)) == 3
    assert [line.number for line in stored_lines(tmp_path)] == [1, 2, 3]


def test_segments_end_by_age_but_never_empty(tmp_path: Path) -> None:
    """An hour without hits makes no files; an hour with hits ends at its end."""
    clock = ManualClock(AT)
    writer = opened(tmp_path, clock, segment_seconds_max=3600)
    clock.advance(4000)
    writer.sync()

    assert len(_names(tmp_path)) == 1

    writer.append(clock.now(), hit())
    clock.advance(4000)
    writer.sync()
    writer.append(clock.now(), hit())
    writer.close()

    assert _names(tmp_path) == ["0x0000000000000001.log", "0x0000000000000002.log"]


def test_a_half_written_end_is_put_aside(tmp_path: Path) -> None:
    """A crash in the middle of a line costs that line only; its bytes are kept."""
    writer = opened(tmp_path)
    writer.append(AT, hit())
    writer.close()
    path = tmp_path / "0x0000000000000001.log"
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"10x00000000000000")
    writer = opened(tmp_path)

    assert writer.append(AT, hit()) == 2
    assert [line.number for line in stored_lines(tmp_path)] == [1, 2]
    assert (tmp_path / f"0x0000000000000001-{size}.torn").read_bytes() == b"10x00000000000000"

    writer.close()


def test_damaged_lines_at_the_end_keep_their_numbers_and_their_bytes(tmp_path: Path) -> None:
    """A number that may have been given is not given again; the reader will see the damage."""
    writer = opened(tmp_path)
    for _ in range(3):
        writer.append(AT, hit())
    writer.close()
    path = tmp_path / "0x0000000000000001.log"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + bytes(30) + b"\n" + bytes(10) + b"\n")
    writer = opened(tmp_path)

    assert writer.append(AT, hit()) == 4
    assert _names(tmp_path) == ["0x0000000000000001.log", "0x0000000000000004.log"]
    assert path.read_bytes().count(b"\n") == 3

    writer.close()


def test_numbers_survive_the_loss_of_all_segments(tmp_path: Path) -> None:
    """What a reader has acknowledged is never given again, even when the files are gone."""
    writer = opened(tmp_path)
    for _ in range(3):
        writer.append(AT, hit())
    writer.close()
    acknowledge(tmp_path, "lake", 3)
    (tmp_path / "0x0000000000000001.log").unlink()
    writer = opened(tmp_path)

    assert writer.append(AT, hit()) == 4

    writer.close()


@pytest.mark.parametrize("whole", [0, 1, 20, 60])
def test_a_short_write_leaves_no_half_line(
    tmp_path: Path, fail_writes: Callable[[Fault | None], None], whole: int
) -> None:
    """However much the disk takes of a line, the line waits, and comes whole and in its place."""
    clock = ManualClock(AT)
    writer = opened(tmp_path, clock)
    writer.append(AT, hit(1))
    fail_writes(lambda count: min(whole, count - 1))

    assert writer.append(AT, hit(2)) == 2
    assert writer.append(AT, hit(3)) == 3
    assert writer.state == State(last=3, unwritten=2, lost=0, failed_syncs=0)

    fail_writes(None)
    clock.advance(1)

    assert writer.append(AT, hit(4)) == 4
    assert writer.state == State(last=4, unwritten=0, lost=0, failed_syncs=0)
    assert [(line.number, line.message_id) for line in stored_lines(tmp_path)] == [
        (1, 1), (2, 2), (3, 3), (4, 4),
    ]  # fmt: skip

    writer.close()


def test_a_full_disk_is_waited_out(
    tmp_path: Path, fail_writes: Callable[[Fault | None], None]
) -> None:
    """Lines wait in memory up to the limit; what is beyond is counted and takes no number."""
    writer = opened(tmp_path, queue_lines_max=2)
    fail_writes(_full)

    assert [writer.append(AT, hit(n)) for n in range(1, 5)] == [1, 2, 0, 0]
    assert writer.state == State(last=2, unwritten=2, lost=2, failed_syncs=0)

    fail_writes(None)
    writer.sync()

    assert writer.append(AT, hit(9)) == 3
    assert [line.message_id for line in stored_lines(tmp_path)] == [1, 2, 9]

    writer.close()


def test_without_a_queue_a_half_line_is_still_mended(
    tmp_path: Path, fail_writes: Callable[[Fault | None], None]
) -> None:
    """A queue of length 0 loses the line but never leaves half of it before the next."""
    writer = opened(tmp_path, queue_lines_max=0)
    fail_writes(lambda _count: 10)
    writer.append(AT, hit(1))
    fail_writes(None)
    writer.append(AT, hit(2))
    writer.close()

    assert [(line.number, line.message_id) for line in stored_lines(tmp_path)] == [(1, 2)]


def test_a_half_line_that_cannot_be_cut_off_is_left_behind(
    tmp_path: Path,
    fail_writes: Callable[[Fault | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where truncating fails too, the next line begins another segment, with the same number."""
    writer = opened(tmp_path)
    writer.append(AT, hit(1))
    monkeypatch.setattr(os, "ftruncate", lambda *_: _raise(_full(0)))
    fail_writes(lambda _count: 10)
    writer.append(AT, hit(2))
    fail_writes(None)
    writer.sync()
    writer.append(AT, hit(3))
    writer.close()

    assert _names(tmp_path) == ["0x0000000000000001.log", "0x0000000000000002.log"]
    assert [line.message_id for line in stored_lines(tmp_path)] == [1, 2, 3]


def test_lines_that_nobody_read_are_removed_with_an_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Age is told by the lines, not by the files, and the newest segment stays."""
    clock = ManualClock(AT)
    writer = opened(tmp_path, clock, segment_bytes_max=100, keep_days=2)
    for _ in range(3):
        writer.append(clock.now(), hit())
        clock.advance(timedelta(days=1).total_seconds())
    writer.clean()

    assert _names(tmp_path) == ["0x0000000000000002.log", "0x0000000000000003.log"]
    assert "removed before every reader had read it" in capsys.readouterr().out

    clock.advance(timedelta(days=300).total_seconds())
    writer.clean()

    assert _names(tmp_path) == ["0x0000000000000003.log"]

    writer.close()


def test_the_death_of_a_writer_frees_its_spool(tmp_path: Path) -> None:
    """A lock dies with its holder: no stale file ever keeps a server from starting."""
    kill(opened(tmp_path))

    opened(tmp_path).close()


def test_another_server_has_another_prefix(tmp_path: Path) -> None:
    """The id of a line begins with the id of its server."""
    writer = Writer.open(tmp_path, server=ServerId("z"), clock=ManualClock(AT))
    writer.append(AT, hit())
    writer.close()

    assert stored_lines(tmp_path)[0].server == "z"


def _raise(error: OSError) -> None:
    raise error


def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    """A thread that comes too late must not answer for a line that nobody will write."""
    writer = opened(tmp_path)
    writer.append(AT, hit(1))
    writer.close()

    with pytest.raises(Transient, match="is closed"):
        writer.append(AT, hit(2))

    assert [line.message_id for line in stored_lines(tmp_path)] == [1]
