"""Lines that could not be loaded: why, what to do about it, and trying them again (spec §4.7)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Template

from aftersend.database.operators import Operator
from aftersend.errors import Busy, NotFound
from aftersend.reports.scope import as_of
from aftersend.tracking import rejected
from aftersend.tracking.rejected import RejectedLine, Retried
from aftersend.web.listing import ROWS, Listing, Offset
from aftersend.web.login import Form
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS", "make_runner"]

_PATH: Final = "/rejected"
_BYTES_SHOWN: Final = 300
_ALL: Final = "all"

_DAMAGED: Final = "Repair it and load it: aftersend tracking rejected retry --from FILE"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason means for people, and what to do."""

    label: str
    text: str
    advice: str


_MEANINGS: Final[Mapping[str, Meaning]] = {
    "length": Meaning("Too long", "The line is longer than any tracking server writes.", _DAMAGED),
    "fields": Meaning("Wrong fields", "It has more or fewer fields than a line has.", _DAMAGED),
    "shape": Meaning("Misshapen", "A field does not look as the format says.", _DAMAGED),
    "number": Meaning("Wrong number", "A number in it cannot be one.", _DAMAGED),
    "time": Meaning("Wrong time", "Its date is none, or one that cannot be.", _DAMAGED),
    "server": Meaning(
        "Another server", "It names another tracking server than the one it came from.", _DAMAGED
    ),
    "range": Meaning(
        "Out of range", "Its number cannot stand where it stood: the log id is damaged.", _DAMAGED
    ),
    "duplicate": Meaning(
        "Number used twice", "A line before it has the same number: one is damaged.", _DAMAGED
    ),
    "unresolved": Meaning(
        "Waits for its message",
        "Its message is not known yet. Each execution of the workflow tries it again.",
        "Bring back the delivery or its messages, if they were lost; otherwise nothing.",
    ),
    "unknown_message": Meaning(
        "Unknown message",
        "There has been no such message for so long that it is not tried by itself any more.",
        "Bring back the delivery, then try again.",
    ),
    "unknown_url": Meaning(
        "Unknown link",
        "There is no such link, or it is one of another delivery.",
        "Bring back the delivery, then try again.",
    ),
    "unknown_tag": Meaning(
        "Unknown web tag",
        "A page names a web tag that there is not, and does not say its type.",
        "Make the web tag, then try again.",
    ),
    "expired_tag": Meaning(
        "Web tag over",
        "The web tag counted no more when the page was seen.",
        "Prolong the web tag, then try again; or nothing.",
    ),
    "incomplete_visit": Meaning(
        "Visit of somebody unknown",
        "The visit tells less of who it was than the mode of web tracking asks for.",
        "Nothing: that is usual on sites with web tags.",
    ),
    "unknown_visitor": Meaning(
        "New browser",
        "Nobody whom we know used this browser before the visit.",
        "Nothing: that is usual on sites with web tags.",
    ),
}
_OTHER: Final = Meaning("", "An older version rejected it.", "Try it again.")


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one reason: how many, and what to do."""

    reason: str
    count: int
    meaning: Meaning
    is_running: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it can be shown: `text` is its bytes, escaped."""

    line: RejectedLine
    label: str
    text: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Done:
    def check(self) -> None:
        """Find nothing wrong: what went wrong was raised."""


class RetryRunner(Runner):
    """Tries lines again when somebody asks for it; remembers what came of it, by reason."""

    def __init__(self, services: Services) -> None:
        """Start with nothing."""
        self.outcomes: dict[str, Retried] = {}

        def run(reason: str, operator: str) -> _Done:
            self.outcomes.pop(reason, None)
            wanted = "" if reason == _ALL else reason
            self.outcomes[reason] = services.retry_rejected(wanted, operator)
            return _Done()

        super().__init__(run)


def make_runner(services: Services) -> RetryRunner:
    """Make what tries lines again."""
    return RetryRunner(services)


@get(_PATH, sync_to_thread=True)
def show_rejected(
    request: Request[Any, Any, Any],
    services: Given[Services],
    retry_runner: Given[RetryRunner],
    reason: FromQuery[str] = "",
    tried: FromQuery[str] = "",
    offset: Offset = 0,
) -> Template:
    """List rejected lines, and count them by reason."""
    every = rejected.listed(services.lake, limit=0)
    wanted = reason if reason in every.by_reason else ""
    found = rejected.listed(services.lake, reason=wanted or None, limit=ROWS, offset=offset)
    counts = sorted(every.by_reason.items(), key=lambda pair: (-pair[1], pair[0]))
    with services.database.read() as connection:
        fresh = as_of(connection, ())
    return page(
        request,
        "rejected.html",
        groups=[
            Group(name, count, _meaning(name), retry_runner.is_running(name))
            for name, count in counts
        ],
        total=every.total,
        reason=wanted,
        listing=Listing([_row(line) for line in found.rows], found.total, offset),
        tried=tried if tried == _ALL or tried in _MEANINGS or tried in every.by_reason else "",
        tried_label="All lines" if tried == _ALL else _meaning(tried).label,
        is_running=retry_runner.is_running(tried),
        outcome=retry_runner.outcomes.get(tried),
        problem=retry_runner.problem(tried),
        as_of=fresh,
    )


@post(_PATH + "/retry", sync_to_thread=True)
def retry(
    request: Request[Operator, Any, Any], data: Form, retry_runner: Given[RetryRunner]
) -> Redirect:
    """Try the lines of one reason again, or all; the page shows what came of it."""
    reason = data.get("reason", "") or _ALL
    if reason != _ALL and reason not in _MEANINGS:
        raise NotFound("reason", reason[:40])
    # Pressed twice: the page shows the one that goes on.
    with suppress(Busy):
        retry_runner.start(reason, request.user.name)
    return Redirect(f"{_PATH}?tried={reason}", status_code=303)


HANDLERS: Final = (show_rejected, retry)


def _meaning(reason: str) -> Meaning:
    known = _MEANINGS.get(reason)
    return known or Meaning(reason, _OTHER.text, _OTHER.advice)


def _row(line: RejectedLine) -> Row:
    is_cut = len(line.data) > _BYTES_SHOWN
    return Row(line, _meaning(line.reason).label, _escaped(line.data[:_BYTES_SHOWN]), is_cut)


def _escaped(data: bytes) -> str:
    """Spell bytes so that each is seen: printable ASCII as it is, everything else by number."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte != ord("\\") else f"\\x{byte:02x}" for byte in data
    )
