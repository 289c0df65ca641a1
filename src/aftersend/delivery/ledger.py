"""The ledger of a send: what became of every message, known even if we are killed.

One file a delivery, `<delivery>.ledger`, little-endian::

    magic        8 bytes   b"AFTSEND1"
    delivery id  i64
    count        i64       of messages
    reserved     i64       0
    ids          count × i64   of messages, ascending
    times        count × i64   microseconds since 1970 UTC of the last change of the state
    states       count × u8    of `State`

and beside it `<delivery>.answers`: a JSON line for each message that failed, written before its
state says so.

The file is mapped shared into memory, so a change costs as much as an assignment and belongs to
the kernel at once: SIGKILL at any moment loses nothing. `sync`, once a second, brings it onto the
disk: a power cut loses up to the last second.

Invariants: a ledger exists as a whole or not at all; ids never change; a state never goes back
from what was answered; while a ledger exists, nobody else holds its delivery's `lock`.
"""

import fcntl
import json
import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import Any, Final

from aftersend.database.messages import Outcome
from aftersend.delivery.refusal import Failure
from aftersend.errors import Busy, Corruption
from aftersend.model.enumeration import FailureReason, FailureType, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId
from aftersend.platform.files import make_directory, sync, sync_directory, write_atomic

__all__ = ["ANSWER_NOT_SEEN", "Ledger", "State", "create", "discard", "locked", "open_ledger"]

ANSWER_NOT_SEEN: Final = "The end of the message was handed over, the answer was not seen."

_HEAD: Final = Struct("<8sqqq")
_MAGIC: Final = b"AFTSEND1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOST: Final = Failure(
    FailureReason.NOT_DEFINED, FailureType.NOT_DEFINED, "The server's answer was lost."
)


class State(IntEnum):
    """What became of one message."""

    WAITING = 0
    HANDED_OVER = 1
    """Its last byte is with the kernel, the answer is not here yet."""
    ACCEPTED = 2
    FAILED = 3
    UNANSWERED = 4
    """Handed over by a process that ended before the answer: counted as sent, never sent again."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open ledger; `states` and `times` are the file itself."""

    path: Path
    delivery_id: DeliveryId
    ids: Sequence[int]
    times: "memoryview[int]"
    states: "memoryview[int]"
    _map: mmap.mmap
    _answers: int
    _failures: dict[int, Failure]

    def __len__(self) -> int:
        return len(self.ids)

    def waiting(self) -> list[int]:
        """List the places of the messages that wait, in order."""
        return [place for place, state in enumerate(self.states) if state == State.WAITING]

    def accept(self, place: int, at: datetime) -> None:
        """Write down that the server took a message."""
        self.times[place] = _microseconds(at)
        self.states[place] = State.ACCEPTED

    def fail(self, place: int, failure: Failure, at: datetime) -> None:
        """Write down that a message will not be sent, and why.

        Raises:
            OSError: the disk is full; the state stays.
        """
        line = {
            "place": place,
            "reason": failure.reason,
            "type": failure.type,
            "text": failure.text,
        }
        os.write(self._answers, json.dumps(line).encode() + b"\n")
        self._failures[place] = failure
        self.times[place] = _microseconds(at)
        self.states[place] = State.FAILED

    def give_up_on_answers(self) -> None:
        """Settle messages whose answer nobody waits for any more: call it on opening."""
        for place, state in enumerate(self.states):
            if state == State.HANDED_OVER:
                self.states[place] = State.UNANSWERED

    def outcome(self, place: int) -> Outcome:
        """Tell how one message ended; not for one that waits."""
        message_id, at = MessageId(self.ids[place]), _moment(self.times[place])
        state = self.states[place]
        if state == State.FAILED:
            failure = self._failures.get(place, _LOST)
            return Outcome(
                message_id, MessageStatus.FAILED, at, failure.type, failure.reason, failure.text
            )
        assert state in (State.ACCEPTED, State.UNANSWERED), "a message that ended"
        text = ANSWER_NOT_SEEN if state == State.UNANSWERED else ""
        return Outcome(message_id, MessageStatus.SENT, at, text=text)

    def sync(self) -> None:
        """Bring everything onto the disk.

        Raises:
            OSError: the disk failed.
        """
        sync(self._answers)
        self._map.flush()

    def close(self) -> None:
        """Let go of the file; it stays."""
        self.times.release()
        self.states.release()
        self._map.close()
        os.close(self._answers)


@contextmanager
def locked(directory: Path, delivery_id: DeliveryId) -> Iterator[None]:
    """Make sure that nobody else sends this delivery; the kernel lets go when we end.

    Raises:
        Busy: somebody else does.
    """
    make_directory(directory)
    descriptor = os.open(directory / f"{delivery_id}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"Delivery {delivery_id} is being sent at this moment.") from error
        yield
    finally:
        os.close(descriptor)


def discard(directory: Path, delivery_id: DeliveryId) -> None:
    """Take away what is left of a send whose end is written down elsewhere.

    Whoever waits for the lock that goes with it will see that end.
    """
    path = _path(directory, delivery_id)
    for each in (path, _answers_path(path), path.with_suffix(".lock")):
        each.unlink(missing_ok=True)
    sync_directory(directory)


def create(directory: Path, delivery_id: DeliveryId, ids: Sequence[MessageId]) -> Ledger:
    """Begin the ledger of a delivery, in place of one that nothing was sent under.

    Raises:
        OSError: the disk is full or failed.
    """
    path = _path(directory, delivery_id)
    # Answers of a send that never came to be sent must not be taken for this one's.
    _answers_path(path).unlink(missing_ok=True)
    count = len(ids)
    write_atomic(
        path,
        _HEAD.pack(_MAGIC, delivery_id, count, 0)
        + array("q", ids).tobytes()
        + bytes(8 * count)
        + bytes(count),
    )
    return open_ledger(directory, delivery_id)


def open_ledger(directory: Path, delivery_id: DeliveryId) -> Ledger:
    """Open the ledger of a delivery as the last process left it.

    Raises:
        Corruption: it is missing, or not the ledger of this delivery.
    """
    path = _path(directory, delivery_id)
    try:
        with path.open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
    except FileNotFoundError as error:
        raise Corruption(
            path, "who was sent this delivery before a crash is written there, and it is missing"
        ) from error
    except ValueError as error:
        raise Corruption(path, "it is empty") from error
    count = _check_head(path, mapped, delivery_id)
    view = memoryview(mapped)
    ids_end = _HEAD.size + 8 * count
    times_end = ids_end + 8 * count
    answers = _answers_path(path)
    return Ledger(
        path=path,
        delivery_id=delivery_id,
        ids=array("q", bytes(view[_HEAD.size : ids_end])),
        times=view[ids_end:times_end].cast("q"),
        states=view[times_end:],
        _map=mapped,
        _failures=dict(_read_answers(answers)),
        _answers=os.open(answers, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644),
    )


def _check_head(path: Path, mapped: mmap.mmap, delivery_id: DeliveryId) -> int:
    if len(mapped) < _HEAD.size:
        raise Corruption(path, "it is cut short")
    magic, owner, count, _ = _HEAD.unpack_from(mapped)
    if magic != _MAGIC or owner != delivery_id or len(mapped) != _HEAD.size + 17 * count:
        raise Corruption(path, f"it is not the ledger of delivery {delivery_id}")
    return int(count)


def _read_answers(path: Path) -> Iterator[tuple[int, Failure]]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # cut short by a full disk: its state was never set
        yield (
            answer["place"],
            Failure(FailureReason(answer["reason"]), FailureType(answer["type"]), answer["text"]),
        )


def _path(directory: Path, delivery_id: DeliveryId) -> Path:
    return directory / f"{delivery_id}.ledger"


def _answers_path(path: Path) -> Path:
    return path.with_suffix(".answers")


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
