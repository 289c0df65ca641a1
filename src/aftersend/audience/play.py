"""Carrying out a plan on a tracking server, in the order of time."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from aftersend.audience.browser import Browser
from aftersend.audience.population import Action
from aftersend.errors import Transient
from aftersend.platform.clock import ManualClock

__all__ = ["carry_out"]

_NOT_FOUND: Final = 404


def carry_out(
    actions: Iterable[Action],
    browser: Browser,
    *,
    clock: ManualClock,
    until: datetime,
    on_progress: Callable[[int], None] = lambda _count: None,
) -> int:
    """Do everything up to the moment `until`; give the number of hits.

    Raises:
        Transient: a request was not answered as a hit.
    """
    hits = 0
    for action in sorted(actions, key=lambda action: action.at):
        if action.at > until:
            break
        clock.set(action.at)
        response = browser.ask(action.visitor, action.path, method=action.method)
        if response.status_code not in action.statuses:
            raise Transient(
                f"The tracking server answered {response.status_code} to a link that was just sent."
            )
        hits += response.status_code != _NOT_FOUND
        on_progress(hits)
    return hits
