"""What is counted from the hits: each figure declared once, with its formula in words.

`aggregate` computes all measures, `rows` gives the list behind one figure, which is as long as the
figure says, or adds up to it. Both take what `counted_log` gives.

A person is told by the permanent cookie. A click without one is one person per message: the
recipient, whoever that is; never one person for everybody, and never nobody (spec §7.0, "trap").

Money is summed here and nowhere before, as decimals of `AMOUNT_DECIMALS` places: the order in which
hits came, and how many threads add them, changes no digit. What goes on is the nearest float.

Source: spec §7.0, §7.2; architecture D9.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID

__all__ = ["AMOUNT_DECIMALS", "MEASURES", "Measure", "aggregate", "rows"]

AMOUNT_DECIMALS: Final = 6
"""Amounts are rounded to this many places before they are summed; people see two of the sum."""

_WHOLE_MAX: Final = 2**63 - 1
_MONEY: Final = dt.Decimal(38, AMOUNT_DECIMALS)
_WHOLE: Final = dt.Decimal(38, 0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One count of hits, or one sum over them; `where` picks the hits.

    `distinct` tells what is counted once; `summed` what is added up, of the hits that have it.
    `formula` is for people: n(x) counts hits that satisfy x, d(k; x) the different k among them.
    `adds_up` says that the figures of the email domains of a delivery may be added up to its own: a
    message has one domain, while one person may react to messages of two, and sums are rounded.
    """

    name: str
    label: str
    formula: str
    where: Callable[[ibis.Table], ir.BooleanValue]
    distinct: Callable[[ibis.Table], ir.Column] | None
    source: str
    adds_up: bool = True
    summed: Callable[[ibis.Table], ir.NumericColumn] | None = None


def aggregate(
    counted: ibis.Table,
    *,
    by: Sequence[str] = ("delivery_id",),
    measures: Collection[Measure] | None = None,
) -> ibis.Table:
    """Compute some measures (none named: all) for each group of hits.

    Shape: one row per `by` that has hits, counted or not; the columns of `by`, and one i64 for each
        measure, by name; `amount` is f64. Nothing in `by`: exactly one row.
    """
    wanted = MEASURES.values() if measures is None else measures
    figures = {measure.name: _figure(counted, measure) for measure in wanted}
    return counted.aggregate(**figures, by=list(by))


def rows(
    counted: ibis.Table, measure: Measure, *, by: Sequence[str] = ("delivery_id",)
) -> ibis.Table:
    """Give the list behind a figure: as many rows as `aggregate` with the same `by` says.

    Behind a sum stand the hits that it is summed over, also those that bring nothing to it.

    Shape: a plain measure gives its hits with all columns of `counted`. A distinct one gives one
        row per `by` and key: the columns of `by`, `key`, `message_id` and `recipient_id` (the
        lowest, where one person reacted to several messages), `first_at`, `last_at`, `count` of
        hits.
    """
    hits = counted.filter(counted.counted & measure.where(counted))
    if measure.distinct is None:
        return hits
    keyed = hits.mutate(key=measure.distinct(hits))
    return keyed.group_by(*by, "key").aggregate(
        message_id=keyed.message_id.min(),
        recipient_id=keyed.recipient_id.min(),
        first_at=keyed.at.min(),
        last_at=keyed.at.max(),
        count=keyed.count(),
    )


def _figure(counted: ibis.Table, measure: Measure) -> ir.NumericScalar:
    where = counted.counted & measure.where(counted)
    if measure.summed is not None:
        return _sum(measure.summed(counted), where)
    if measure.distinct is None:
        return counted.count(where=where)
    key = measure.distinct(counted)
    # Null is not counted; so engines spell the keys of those hits only that are.
    return where.ifelse(key, ibis.null(key.type())).nunique()


def _sum(column: ir.NumericColumn, where: ir.BooleanValue) -> ir.NumericScalar:
    if column.type().is_floating():
        return column.cast(_MONEY).sum(where=where).fill_null(0).cast("float64")
    # Anybody may send a tag large numbers: a sum beyond 63 bits stays there, and stops nothing.
    total = column.cast(_WHOLE).sum(where=where).fill_null(0)
    return ibis.least(ibis.greatest(total, -_WHOLE_MAX), _WHOLE_MAX).cast("int64")


def _any(table: ibis.Table) -> ir.BooleanValue:
    return table.message_id != 0


def _of_type(*kinds: UrlType) -> Callable[[ibis.Table], ir.BooleanValue]:
    if len(kinds) == 1:
        return lambda table: table.url_type == kinds[0].value
    return lambda table: table.url_type.isin([kind.value for kind in kinds])


def _message(table: ibis.Table) -> ir.Column:
    return table.message_id


def _person(table: ibis.Table) -> ir.Column:
    # "#" stands in no source id, so a recipient's key never meets a cookie's.
    recipient = ibis.literal("#") + table.message_id.cast("string")
    return (table.source_id == "").ifelse(recipient, table.source_id)


_DECLARED: Final = (
    Measure(
        "recipient_open",
        "Distinct opens",
        "d(message; any log): a click proves an opening, and so does a web visit",
        _any,
        _message,
        "spec §7.2",
    ),
    Measure(
        "total_recipient_open",
        "Sum of opens",
        "n(url id = 1)",
        lambda table: table.url_id == OPEN_URL_ID,
        None,
        "spec §7.2",
    ),
    Measure(
        "recipient_click",
        "Recipient clicks",
        "d(message; type = 1)",
        _of_type(UrlType.EMAIL_CLICK),
        _message,
        "spec §7.2",
    ),
    Measure(
        "person_click",
        "Distinct clicks (people)",
        "d(source id; type = 1); without a source id, the message",
        _of_type(UrlType.EMAIL_CLICK),
        _person,
        "spec §7.2",
        adds_up=False,
    ),
    Measure(
        "total_recipient_click",
        "Cumulated clicks",
        "n(type = 1)",
        _of_type(UrlType.EMAIL_CLICK),
        None,
        "spec §7.2",
    ),
    Measure(
        "opt_out",
        "Clicks on opt-out link",
        "n(type = 3)",
        _of_type(UrlType.OPT_OUT),
        None,
        "spec §7.2",
    ),
    Measure(
        "mirror_page",
        "Clicks on mirror page link",
        "n(type = 6)",
        _of_type(UrlType.MIRROR_PAGE),
        None,
        "spec §7.2",
    ),
    Measure(
        "total_web_page",
        "Visited pages",
        "n(type = 4 or 5): hits on web tags, transactions among them",
        _of_type(UrlType.WEB, UrlType.TRANSACTION),
        None,
        "spec §7.2",
    ),
    Measure(
        "transaction",
        "Transactions",
        "n(type = 5)",
        _of_type(UrlType.TRANSACTION),
        None,
        "spec §7.2",
    ),
    Measure(
        "amount",
        "Total amount",
        "Σ amount over hits of type 5, as the tags gave it; shown with two decimals",
        _of_type(UrlType.TRANSACTION),
        None,
        "spec §1.9, §7.2",
        adds_up=False,
        summed=lambda table: table.amount,
    ),
    Measure(
        "article",
        "Items",
        "Σ article over hits of type 5, as the tags gave it",
        _of_type(UrlType.TRANSACTION),
        None,
        "spec §1.9, §7.2",
        adds_up=False,
        summed=lambda table: table.article,
    ),
)

MEASURES: Final[Mapping[str, Measure]] = {measure.name: measure for measure in _DECLARED}
"""Every measure by name, in the order of the spec."""
