"""The indicators, each declared once: pages, commands, CSV and the dictionary read this.

What is counted from hits has its label and its formula from `aftersend.lake.measure`.
Source: spec §1.3, §7.2; architecture D9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final, TypeAlias

from aftersend.lake.measure import MEASURES
from aftersend.reports.facts import Facts, Reactions

__all__ = ["INDICATORS", "SUCCESS", "TO_DELIVER", "Box", "Denominator", "Figure", "Indicator"]
__all__ += ["figures", "ratio"]

Value: TypeAlias = Callable[[Facts], float | None]


class Box(StrEnum):
    """The part of the report that an indicator stands in (spec §7.2)."""

    DELIVERY = "Delivery"
    RECEPTION = "Reception"
    CLICK_STREAMS = "Click streams"
    WEB = "Web"


@dataclass(frozen=True, slots=True)
class Denominator:
    """What a rate is a share of."""

    name: str
    formula: str
    value: Value


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure: `value` gives a count, an int; or a ratio, a sum of money or an average, a float.

    A ratio has the unit ``ratio``. None: there is nothing that it could be told of.
    """

    name: str
    label: str
    formula: str
    unit: str
    value: Value
    denominator: Denominator | None
    box: Box
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """An indicator's outcome; `rate` is `value` ÷ its denominator, maybe above 1, or none."""

    label: str
    unit: str
    value: float | None
    rate: float | None


def figures(facts: Facts) -> Mapping[str, Figure]:
    """Compute every indicator, by name, in the order of the report."""
    return {one.name: _figure(one, facts) for one in INDICATORS}


def ratio(value: float | None, denominator: float | None) -> float | None:
    """Divide; nothing, never 0, comes of a share of nothing.

    >>> ratio(6, 4), ratio(0, 0)
    (1.5, None)
    """
    return value / denominator if value is not None and denominator else None


def _figure(indicator: Indicator, facts: Facts) -> Figure:
    value, share = indicator.value(facts), indicator.denominator
    rate = None if share is None else ratio(value, share.value(facts))
    return Figure(indicator.label, indicator.unit, value, rate)


def _of(count: Callable[[Reactions], float | None]) -> Value:
    return lambda facts: None if facts.reactions is None else count(facts.reactions)


def _named(name: str) -> Value:
    return _of(attrgetter(name))


def _measured(name: str, unit: str, box: Box) -> Indicator:
    measure, share = MEASURES[name], None if box is Box.WEB else SUCCESS
    return Indicator(
        name, measure.label, measure.formula, unit, _named(name), share, box, measure.source
    )


TO_DELIVER: Final = Denominator("to_deliver", "messages to deliver", lambda facts: facts.to_deliver)
SUCCESS: Final = Denominator("success", "success of tracked deliveries", _named("success"))

INDICATORS: Final = (
    Indicator(
        "to_deliver",
        "Messages to deliver",
        "Σ messages to recipients, as the analysis left them",
        "messages",
        lambda facts: facts.to_deliver,
        None,
        Box.DELIVERY,
        "spec §7.2",
    ),
    Indicator(
        "success",
        "Success",
        "messages, but those to seed addresses, with status Sent, Taken into account by the service"
        " provider, or Received on mobile",
        "messages",
        lambda facts: facts.success,
        TO_DELIVER,
        Box.DELIVERY,
        "spec §7.2",
    ),
    Indicator(
        "error",
        "Errors",
        "messages, but those to seed addresses, with status Failed",
        "messages",
        lambda facts: facts.error,
        TO_DELIVER,
        Box.DELIVERY,
        "spec §1.3",
    ),
    Indicator(
        "estimated_recipient_open",
        "Distinct opens (estimated)",
        "Σ over deliveries of recipient_open × to deliver ÷ (to deliver − text), rounded half up;"
        " 0 where all are text",
        "people",
        _named("estimated_recipient_open"),
        SUCCESS,
        Box.RECEPTION,
        "spec §7.2, §7.4",
    ),
    Indicator(
        "estimated_total_recipient_open",
        "Sum of opens (estimated)",
        "Σ over deliveries of total_recipient_open × to deliver ÷ (to deliver − text), rounded half"
        " up; 0 where all are text",
        "opens",
        _named("estimated_total_recipient_open"),
        SUCCESS,
        Box.RECEPTION,
        "spec §7.2, §7.4",
    ),
    _measured("opt_out", "clicks", Box.RECEPTION),
    _measured("mirror_page", "clicks", Box.RECEPTION),
    Indicator(
        "forward",
        "Estimation of forwards",
        "person_click − recipient_click; below 0 where people share a browser",
        "people",
        _of(lambda reactions: reactions.person_click - reactions.recipient_click),
        SUCCESS,
        Box.RECEPTION,
        "spec §7.2",
    ),
    _measured("recipient_open", "people", Box.RECEPTION),
    _measured("total_recipient_open", "opens", Box.RECEPTION),
    _measured("person_click", "people", Box.CLICK_STREAMS),
    _measured("total_recipient_click", "clicks", Box.CLICK_STREAMS),
    _measured("recipient_click", "people", Box.CLICK_STREAMS),
    Indicator(
        "raw_reactivity",
        "Raw reactivity",
        "recipient_click ÷ recipient_open",
        "ratio",
        _of(lambda reactions: ratio(reactions.recipient_click, reactions.recipient_open)),
        None,
        Box.CLICK_STREAMS,
        "spec §7.2",
    ),
    Indicator(
        "estimated_reactivity",
        "Estimated reactivity",
        "recipient_click ÷ estimated_recipient_open",
        "ratio",
        _of(lambda reactions: ratio(reactions.recipient_click, reactions.estimated_recipient_open)),
        None,
        Box.CLICK_STREAMS,
        "spec §7.2",
    ),
    _measured("total_web_page", "pages", Box.WEB),
    _measured("transaction", "transactions", Box.WEB),
    _measured("amount", "money", Box.WEB),
    _measured("article", "items", Box.WEB),
    Indicator(
        "average_amount",
        "Average transaction amount",
        "amount ÷ transaction",
        "money a transaction",
        _of(lambda reactions: ratio(reactions.amount, reactions.transaction)),
        None,
        Box.WEB,
        "spec §7.2",
    ),
    Indicator(
        "average_article",
        "Average items",
        "article ÷ transaction",
        "items a transaction",
        _of(lambda reactions: ratio(reactions.article, reactions.transaction)),
        None,
        Box.WEB,
        "spec §7.2",
    ),
    Indicator(
        "amount_per_message",
        "Amount per message",
        "amount ÷ messages to deliver of tracked deliveries",
        "money a message",
        _of(lambda reactions: ratio(reactions.amount, reactions.to_deliver)),
        None,
        Box.WEB,
        "spec §7.2",
    ),
)
"""Every indicator of the Tracking indicators report, box by box."""
