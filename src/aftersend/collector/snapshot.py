"""How the tracking servers on one port fare, so that whoever is asked can tell of all.

Each of several writes its numbers about once a second to ``collector-<server id>.json`` in the
folder ``run`` of the instance: whole or not at all, without waiting for a disk, and it removes the
file when it ends in order. Nothing but ``/health``, ``/metrics`` and the process that starts them
reads these files; a server goes on where they cannot be written.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from aftersend.collector.catalogues import Catalogues
from aftersend.collector.config import CollectorConfig
from aftersend.collector.metrics import Metrics
from aftersend.model.ids import ServerId
from aftersend.platform import files
from aftersend.platform.clock import Clock
from aftersend.platform.release import build
from aftersend.platform.telemetry import logger
from aftersend.spool import State, Writer

__all__ = ["SILENT_SECONDS", "Fares", "Snapshot", "Snapshots", "Told", "path_of", "pid_of"]

SILENT_SECONDS: Final = 10.0
_BYTES_MAX: Final = 256 * 1024
_NO_STATE: Final = State(0, 0, 0, 0)


class Fares(StrEnum):
    """How a tracking server fares."""

    OK = "ok"
    RED = "red"
    """Lines wait for the disk."""
    SILENT = "silent"
    """Its process is there but has not told anything for a while."""
    GONE = "gone"
    """There is no such process, or it has not told anything yet."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers of one tracking server at one moment; counters begin at 0 with its process."""

    server_id: str
    process_id: int
    build: str
    started_at: datetime
    written_at: datetime
    last: int = 0
    unwritten: int = 0
    lost: int = 0
    failed_syncs: int = 0
    syncs: int = 0
    sync_seconds: float = 0.0
    sync_seconds_max: float = 0.0
    requests: tuple[tuple[str, str, int], ...] = ()
    unrecorded: Mapping[str, int] | None = None
    lookups: Mapping[str, int] | None = None

    def encode(self) -> bytes:
        """Spell it in JSON."""
        return json.dumps(asdict(self), default=datetime.isoformat).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read back what `encode` has spelled.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        values: dict[str, Any] = json.loads(raw)
        for name in ("started_at", "written_at"):
            values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
        values["requests"] = tuple((kind, answer, n) for kind, answer, n in values["requests"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one tracking server, `age_seconds` ago; nothing of one that is gone."""

    server_id: ServerId
    fares: Fares
    snapshot: Snapshot | None
    age_seconds: float


class Snapshots:
    """Makes the snapshots of one tracking server, and reads those of the others on its port."""

    def __init__(
        self, config: CollectorConfig, metrics: Metrics, catalogues: Catalogues, clock: Clock
    ) -> None:
        """Prepare; `open` makes the first."""
        self._config, self._metrics, self._catalogues = config, metrics, catalogues
        self._clock = clock
        self._started_at = clock.now()
        self._writer: Writer | None = None
        self._is_failing = False
        has_others = len(config.server_ids) > 1
        self._directory = config.run_directory if has_others else None

    def open(self, writer: Writer) -> None:
        """Tell from now on how `writer` fares."""
        self._started_at = self._clock.now()
        self._writer = writer
        self.write()

    def write(self) -> None:
        """Leave a snapshot for the others, if there are any."""
        if self._directory is None:
            return
        try:
            files.make_directory(self._directory)
            files.replace(path_of(self._directory, self._config.server_id), self.own().encode())
        except OSError as error:
            if not self._is_failing:
                reason = error.strerror
                logger("collector").error("the others cannot be told how we fare", reason=reason)
            self._is_failing = True
        else:
            self._is_failing = False

    def close(self) -> None:
        """Take the snapshot away: we are gone in order."""
        if self._directory is not None:
            with suppress(OSError):
                path_of(self._directory, self._config.server_id).unlink(missing_ok=True)

    def own(self) -> Snapshot:
        """Tell how this server fares at this moment."""
        state = _NO_STATE if self._writer is None else self._writer.state
        metrics, syncs = self._metrics, self._metrics.syncs
        return Snapshot(
            server_id=self._config.server_id,
            process_id=os.getpid(),
            build=build(),
            started_at=self._started_at,
            written_at=self._clock.now(),
            last=state.last,
            unwritten=state.unwritten,
            lost=state.lost,
            failed_syncs=state.failed_syncs,
            syncs=syncs.count,
            sync_seconds=syncs.seconds,
            sync_seconds_max=syncs.slowest(now=self._clock.monotonic()),
            # One call each, because a click may add a name meanwhile.
            requests=tuple((*name, n) for name, n in metrics.answers.items()),
            unrecorded=dict(list(metrics.unrecorded.items())),
            lookups=self._catalogues.lookups,
        )

    def all(self) -> list[Told]:
        """Tell of all servers on this port, this one first."""
        own = self.own()
        told = [Told(self._config.server_id, _judged(own), own, 0.0)]
        for server_id in self._config.server_ids[1:]:
            found = self._read(server_id)
            told.append(found or Told(server_id, Fares.GONE, None, 0.0))
        return told

    def _read(self, server_id: ServerId) -> Told | None:
        if self._directory is None:
            return None
        found = _decoded(path_of(self._directory, server_id))
        if found is None or not Path(f"/proc/{found.process_id}").exists():
            return None
        age = (self._clock.now() - found.written_at).total_seconds()
        fares = Fares.SILENT if age > SILENT_SECONDS else _judged(found)
        return Told(server_id, fares, found, max(0.0, age))


def path_of(directory: Path, server_id: str) -> Path:
    """Name the snapshot of a server."""
    return directory / f"collector-{server_id}.json"


def pid_of(directory: Path, server_id: str) -> int:
    """Tell which process has written the snapshot of a server; 0 when there is none."""
    found = _decoded(path_of(directory, server_id))
    return 0 if found is None else found.process_id


def _decoded(path: Path) -> Snapshot | None:
    try:
        with path.open("rb") as file:
            return Snapshot.decode(file.read(_BYTES_MAX))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _judged(snapshot: Snapshot) -> Fares:
    return Fares.RED if snapshot.unwritten else Fares.OK
