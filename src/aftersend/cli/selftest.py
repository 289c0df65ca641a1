"""The published example, played for real: SMTP, HTTP, workflow, report (spec §7.3)."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aftersend.audience.browser import Browser
from aftersend.audience.worked_example import HTML, SUBJECT, Expectation, play, worked_example
from aftersend.cli.post import Post
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SystemEntropy

if TYPE_CHECKING:
    from aftersend.app import Instance

__all__ = ["Check", "selftest"]

_START: Final = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
_SENDER: Final = "Aftersend <selftest@example.com>"
_LABEL: Final = "Selftest"
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """One figure, as it must be and as it is."""

    name: str
    expected: float | None
    got: float | None

    @property
    def is_ok(self) -> bool:
        """Tell whether they are equal."""
        if self.expected is None or self.got is None:
            return self.expected == self.got
        return abs(self.expected - self.got) < _TOLERANCE


def selftest() -> list[Check]:
    """Play the example in an instance of its own, which is thrown away.

    Raises:
        AftersendError: a part does not work at all; the sentence says which.
    """
    from aftersend.app import init, open_instance

    with tempfile.TemporaryDirectory(prefix="aftersend-selftest-") as folder:
        directory = Path(folder) / "instance"
        init(directory, entropy=SystemEntropy())
        clock = ManualClock(_START)
        return list(_play(open_instance(directory, clock=clock), clock))


def _play(opened: "Instance", clock: ManualClock) -> Iterator[Check]:
    from aftersend.app import embedded_collector, run_workflow
    from aftersend.delivery.create import Draft
    from aftersend.delivery.recipients import import_recipients
    from aftersend.reports import tracking_indicators
    from aftersend.reports.scope import Scope

    example = worked_example()
    file = opened.var / "recipients.csv"
    rows = (f"{email},{email.partition('.')[0].title()}\n" for email in example.recipients)
    file.write_text("email,first_name\n" + "".join(rows))
    imported = import_recipients(opened.database, file, clock=clock)
    yield Check("recipients imported", len(example.recipients), imported.imported)

    with Post(opened) as post:
        delivery_id, received = post.send(Draft(_LABEL, _SENDER, SUBJECT, HTML))
    letters = {letter.recipient: letter for letter in received}
    yield Check("messages received over SMTP", len(example.recipients), len(letters))

    with embedded_collector(opened) as base_url, Browser(base_url) as browser:
        played = play(example, letters, browser, clock=clock, start=_START)
    clicks = sum(event.get("times", 1) for event in example.events if event["type"] == "click")
    requests = clicks + sum(event["type"] == "open" for event in example.events)
    yield Check("requests answered", requests, played.hits)
    yield Check("redirects to the original destination", clicks, played.redirects)
    result = run_workflow(opened, "tracking")
    result.check()
    yield Check("lines read by the workflow", requests, result.counts.read)
    yield Check("lines loaded", requests, result.counts.loaded)
    report = tracking_indicators.report(opened.database, opened.lake(), Scope([delivery_id]))
    for expectation in example.expected:
        yield from _compare(expectation, report)


def _compare(expectation: Expectation, report: Any) -> Iterator[Check]:
    figure = report.indicators[expectation.name]
    yield Check(expectation.name, expectation.value, figure.value)
    if expectation.rate is not None:
        yield Check(f"{expectation.name} rate", expectation.rate, figure.rate)
