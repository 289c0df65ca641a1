"""The spool: a tracking server's append-only log, safe before anybody has read it.

Layout: one folder a server id. Segments ``0x<16 hex>.log``, named by the number of their first
line, hold log lines (`model.logline`). Beside them: ``ack-<reader>``, how far a registered reader
has got; ``…-<offset>.torn``, bytes that a crash left half-written; ``lock``, held by the writer.

Fault model: the process may be killed between any two instructions; a write may be short or fail;
a power cut may take back or zero any bytes, and any name, that were not synced; a stored byte may
flip; the disk may fill up and be emptied again. A lying disk and two kernels on one folder are not
survived.

Invariants:

1. A number is given once. Numbers only grow, also over crashes, and also when all that they stood
   for was removed: the newest segment stays, and what readers acknowledged is never given again.
   One that stands within a damaged line, behind a line feed that was lost, counts for nothing.
2. Lines stand in the order of their numbers, in a segment without gaps but where bytes were lost.
3. A line is whole or not there: after a short write the file is cut back, or the next line begins
   another segment; what stands behind the last line feed is never read.
4. When `Writer.append` has returned, the line is with the kernel, or counted as unwritten (kept in
   memory, tried again) or as lost (more than `queue_lines_max` were waiting). A killed process
   loses only what was unwritten.
5. When `Writer.sync` has returned, every line appended before is on the disk, or `state` tells.
   After a failed sync the segment is left and another one begun, because a second try proves
   nothing; where the disk has no room for another, as soon as it has.
6. What `read` hands on was synced first: no reader knows a line that a power cut could take back.
7. `read` hands on every byte of a segment exactly once to who asks on from `Chunk.last`, damaged
   lines too, with the good line that follows, so that they can be counted. One case is left: a
   line that was the newest and was read when damage had already split it in two. If another
   segment follows at once, its second half is not handed on.
8. A segment is removed only when every registered reader has acknowledged all of it; older than
   `keep_days` it is removed with an alarm. A reader registers by its first acknowledgement.

Source: architecture D3; spec §4.7 for names and lines.
"""

from aftersend.spool.acknowledge import (
    acknowledge,
    acknowledged,
    remove_acknowledged,
    remove_expired,
)
from aftersend.spool.reader import Chunk, Stretch, pieces, read, stretches
from aftersend.spool.segment import Extent, extent
from aftersend.spool.writer import Hit, Limits, State, Writer

__all__ = [
    "Chunk",
    "Extent",
    "Hit",
    "Limits",
    "State",
    "Stretch",
    "Writer",
    "acknowledge",
    "acknowledged",
    "extent",
    "pieces",
    "read",
    "remove_acknowledged",
    "remove_expired",
    "stretches",
]
