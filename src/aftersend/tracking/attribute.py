"""Step 4: attribute web visits to those whose browsers they came from.

Attribution is computed from the lake, so doing it twice is doing it once, and the order in which
lines came does not matter. What changes is written in one commit, which also says what version of
the lake was seen and which deliveries were touched, those that lost a visit included.

In session mode nothing is done: visits say themselves whose they are, or are not kept.

Source: spec §4.6; docs/adr/0013-web-visits-are-attributed-in-the-lake.md.
"""

from collections.abc import Iterator
from datetime import date

import pyarrow as pa

from aftersend.errors import Transient
from aftersend.lake.attribution import Changes, attributed
from aftersend.lake.rewrite import Rewriting
from aftersend.lake.store import COMMIT_TRIES_MAX
from aftersend.model.enumeration import WebTrackingMode
from aftersend.model.run import StepReport
from aftersend.tracking.context import Context

__all__ = ["application", "attribute"]


def attribute(context: Context) -> StepReport:
    """Find out whose web visits are that did not say it themselves."""
    context.passing("attribute:begun")
    mode = WebTrackingMode(context.web_tracking.mode)
    if not mode.is_permanent:
        return StepReport("Nothing to attribute: web visits are kept in session mode.")
    for _attempt in range(COMMIT_TRIES_MAX):
        rewriting = Rewriting.begin(context.lake, application(mode))
        if rewriting.is_done:
            return StepReport("Attributed 0 web visits.")
        files, new_files = rewriting.files, rewriting.new_files
        with attributed(context.lake, mode, files=files, new_files=new_files) as changes:
            if rewriting.commit(_passing(context, changes)):
                context.passing("attribute:committed")
                return StepReport(f"Attributed {changes.count:,} web visits.")
    raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")


def application(mode: WebTrackingMode) -> str:
    """Name what has a pointer in the lake: another mode attributes otherwise, so it has its own."""
    return f"attribution-{mode}"


def _passing(context: Context, changes: Changes) -> Iterator[tuple[date, pa.Table]]:
    yield from changes.by_day()
    context.passing("attribute:written")
