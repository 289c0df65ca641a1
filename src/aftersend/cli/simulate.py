"""A believable audience on the real road: SMTP, HTTP, clock and all."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from aftersend.audience.browser import Browser
from aftersend.audience.campaign import SENDER, campaign
from aftersend.audience.play import carry_out
from aftersend.audience.population import Action, Person, plan, recruit
from aftersend.cli.output import Progress
from aftersend.cli.post import Post
from aftersend.model.ids import ServerId
from aftersend.platform.clock import ManualClock, SystemClock
from aftersend.platform.entropy import SeededEntropy

if TYPE_CHECKING:
    from aftersend.app import Instance
    from aftersend.delivery.create import Draft
    from aftersend.model.ids import RecipientId

__all__ = ["SERVER_ID", "Simulated", "Wish", "simulate"]

SERVER_ID: Final = ServerId("s")
"""The tracking server of simulations: a spool of its own, so that a real one may run beside."""

_SENDING_SHARE: Final = 0.9
"""Of the time; what is sent last needs time for reactions, too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How large an audience, and over how long a time up to now."""

    recipients: int
    deliveries: int
    days: int
    seed: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was sent, and how many requests the tracking server answered."""

    messages: int
    hits: int


def simulate(
    directory: Path, wish: Wish, *, on_progress: Progress = lambda _what, _done, _of: None
) -> Simulated:
    """Send deliveries and let an audience react to them; collecting is left to the workflow.

    The same wish at the same moment gives the same people, deliveries and reactions. Messages go to
    a sink inside this process, never to the mail server of the instance.

    Raises:
        AftersendError: the instance cannot be used, or a part of the road fails.
    """
    from aftersend.app import embedded_collector, open_instance

    now = SystemClock().now()
    start = now - timedelta(days=wish.days)
    clock = ManualClock(start)
    opened = open_instance(directory, clock=clock, entropy=SeededEntropy(wish.seed))
    random = Random(wish.seed)  # noqa: S311 - not for secrets
    people = {person.email: person for person in recruit(wish.recipients, random)}
    recipient_ids = _import(opened, people.values())
    actions: list[Action] = []
    messages = 0
    with Post(opened) as post:
        for number in range(wish.deliveries):
            clock.set(start + (now - start) * _SENDING_SHARE * number / wish.deliveries)
            _, letters = post.send(_draft(number, recipient_ids))
            messages += len(letters)
            # Letters arrive over several connections, in no order; plans must not depend on it.
            for letter in sorted(letters, key=lambda letter: letter.recipient):
                actions += plan(people[letter.recipient], letter, clock.now(), random)
            on_progress("Deliveries", number + 1, wish.deliveries)
    clock.set(start)
    with embedded_collector(opened, server_id=SERVER_ID) as base_url, Browser(base_url) as browser:
        hits = carry_out(
            actions,
            browser,
            clock=clock,
            until=now,
            on_progress=lambda done: on_progress("Reactions", done, len(actions)),
        )
    return Simulated(messages, hits)


def _import(opened: "Instance", people: Iterable[Person]) -> Sequence["RecipientId"]:
    from aftersend.delivery.recipients import import_recipients

    path = opened.var / "run" / "simulated-recipients.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("email", "first_name", "last_name", "format"))
        writer.writerows(
            (one.email, one.first_name, one.last_name, "text" if one.is_text else "html")
            for one in people
        )
    report = import_recipients(opened.database, path, clock=opened.clock)
    path.unlink()
    return report.recipient_ids


def _draft(number: int, recipient_ids: Sequence["RecipientId"]) -> "Draft":
    from aftersend.delivery.create import Draft

    made = campaign(number)
    return Draft(
        label=made.label,
        sender=SENDER,
        subject=made.subject,
        html=made.html,
        text=made.text,
        recipient_ids=recipient_ids,
    )
