"""What an analysis looks at before anything is sent: the typology.

Each check is a function of the prepared delivery; `CHECKS` is the list of them, one module a theme.
`RULES` tells what each rule is about and how bad its findings usually are; the settings may say
otherwise. An error stops the delivery, a warning and an information do not.

Source: spec §3.10.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery.typology import content, links, proof, sender, server, validity
from aftersend.delivery.typology.prepared import Link, Prepared, Rendering, gather
from aftersend.delivery.typology.rule import RULES, Rule, check_levels, finding, judged
from aftersend.errors import InvalidContent

__all__ = [
    "CHECKS",
    "RULES",
    "Link",
    "Prepared",
    "Rendering",
    "Rule",
    "check_levels",
    "content_error",
    "finding",
    "gather",
    "judged",
    "run",
    "target_error",
]

CHECKS: Final[Sequence[Callable[[Prepared], Iterator[Check]]]] = (
    *sender.CHECKS,
    *server.CHECKS,
    *links.CHECKS,
    *content.CHECKS,
    *validity.CHECKS,
    *proof.CHECKS,
)

_FINDINGS_MAX: Final = 20
"""Findings of one rule that are told one by one; nobody reads more."""


def run(prepared: Prepared, levels: Mapping[str, str]) -> list[Check]:
    """Let every rule look at a delivery; `levels` by rule replace the usual ones."""
    found = [each for check in CHECKS for each in check(prepared)]
    return judged(_shortened(found), levels)


def content_error(error: InvalidContent) -> Check:
    """Say that the content cannot be prepared."""
    return finding("content", str(error))


def target_error() -> Check:
    """Say that nobody would get the message."""
    return finding("target", "There is nobody to send to.")


def _shortened(found: Iterable[Check]) -> Iterator[Check]:
    told: Counter[str] = Counter()
    for each in found:
        told[each.rule] += 1
        if told[each.rule] <= _FINDINGS_MAX:
            yield each
    for rule, count in told.items():
        if count > _FINDINGS_MAX:
            yield finding(rule, f"There are {count - _FINDINGS_MAX:,} more of the kind.")
