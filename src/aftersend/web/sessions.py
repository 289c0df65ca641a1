"""Sessions of operators: one small file each, gone at log-out.

Litestar's own sessions are not used: they write one for every stranger who looks at the log-in
page, take over any id that a cookie brings, and revive a session that was closed while another of
its requests was still running.

Invariants: an id is made only at log-in; the file's name is the id's digest, so a listing of the
folder opens nothing; a session ends after `hours`, at log-out, and when the password changes.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from aftersend.database.operators import Operator
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy
from aftersend.platform.files import make_directory, write_atomic

__all__ = ["Session", "SessionStore"]

_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in, and the stamp of the password that was used."""

    operator_id: int
    stamp: str


@dataclass(frozen=True, slots=True)
class SessionStore:
    """The sessions of an instance, in `directory`."""

    directory: Path
    clock: Clock
    entropy: Entropy
    hours: int

    def open(self, operator: Operator) -> str:
        """Begin a session and give its id, the secret of a cookie.

        Raises:
            OSError: the folder cannot be written.
        """
        self._remove_ended()
        session_id = self.entropy.bytes(32).hex()
        ends_at = self.clock.now() + timedelta(hours=self.hours)
        document = {
            "operator": operator.id,
            "stamp": operator.stamp,
            "ends_at": ends_at.isoformat(),
        }
        make_directory(self.directory, mode=0o700)
        write_atomic(self._path(session_id), json.dumps(document).encode(), mode=0o600)
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Give the session of an id that a cookie brought, unless it has ended."""
        if not _ID.fullmatch(session_id):
            return None
        return self._read(self._path(session_id))

    def close(self, session_id: str) -> None:
        """End a session; nothing happens when there is none."""
        if _ID.fullmatch(session_id):
            self._path(session_id).unlink(missing_ok=True)

    def _read(self, path: Path) -> Session | None:
        try:
            document = json.loads(path.read_bytes())
            ends_at = datetime.fromisoformat(document["ends_at"])
            session = Session(int(document["operator"]), str(document["stamp"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return session if self.clock.now() < ends_at else None

    def _remove_ended(self) -> None:
        for path in self.directory.glob("*.json"):
            if self._read(path) is None:
                path.unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self.directory / f"{sha256(session_id.encode()).hexdigest()}.json"
