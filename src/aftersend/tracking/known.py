"""Who used a browser before: by what is loaded, and by what waits in the inbox.

A click and the visit after it may come to different tracking servers, of which the one that has the
visit is loaded first. So the lines of all servers that were downloaded are asked, once a run and
only when there is a visit of nobody known.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

from aftersend.lake.attribution import known_since
from aftersend.lake.line import VALID, parse
from aftersend.lake.table import Lake
from aftersend.model.logline import HEAD, UNVERIFIED
from aftersend.tracking import inbox

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["KnownSources"]

_SCHEMA: Final = pa.schema((VALID.field("source_id"), pa.field("at", pa.int64())))


@dataclass(slots=True)
class KnownSources:
    """What one run of the workflow knows of sources."""

    lake: Lake
    inbox: Path
    _waiting: pa.Table | None = field(default=None, init=False)

    def since(self, sources: Collection[str]) -> Mapping[str, int]:
        """Tell when somebody known first used each of them, in µs; unknown ones are left out."""
        known = dict(known_since(self.lake, sources))
        if self._waiting is None:
            self._waiting = pa.concat_tables([_SCHEMA.empty_table(), *self._identified()])
        wanted = pa.array(sorted(sources), pa.string())
        rows = self._waiting.filter(pc.is_in(self._waiting["source_id"], value_set=wanted))
        for row in rows.group_by("source_id").aggregate([("at", "min")]).to_pylist():
            source, at = row["source_id"], row["at_min"]
            known[source] = min(at, known.get(source, at))
        return known

    def _identified(self) -> Iterator[pa.Table]:
        """Give sources and times of the lines that say who it was, file by file."""
        for server in inbox.servers(self.inbox):
            for file in inbox.pending(self.inbox, server):
                lines = parse(file.path.read_bytes()).valid
                is_told = pc.and_(
                    pc.not_equal(lines["message_id"], 0), pc.not_equal(lines["source_id"], "")
                )
                for letter in (UNVERIFIED, HEAD):
                    is_told = pc.and_not(is_told, pc.match_substring(lines["flags"], letter))
                told = lines.filter(is_told).group_by("source_id").aggregate([("at", "min")])
                yield pa.table([told["source_id"], told["at_min"].cast(pa.int64())], schema=_SCHEMA)
