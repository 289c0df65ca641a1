"""Tracking logs on the command line: the same options and formats for deliveries and recipients."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from aftersend.cli.output import print_json, print_table, say
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import UrlType, Verdict

if TYPE_CHECKING:
    from aftersend.lake.machines import Rules
    from aftersend.reports.log_query import LogPage, LogQuery, LogRow

__all__ = [
    "FormatOption",
    "LimitOption",
    "Listing",
    "LogFormat",
    "RuleOption",
    "SinceOption",
    "SortOption",
    "TypeOption",
    "UntilOption",
    "VerdictOption",
    "ZoneOption",
    "moment",
    "show",
]


class LogFormat(StrEnum):
    """How logs are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", help="email_click, open, opt_out, mirror_page, web, transaction, honeypot"
    ),
]
VerdictOption = Annotated[Verdict | None, typer.Option("--verdict")]
RuleOption = Annotated[
    str | None,
    typer.Option("--rule", help="hits that this rule fits, such as burst; see tracking explain"),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="RFC 3339; without a zone: that of --zone")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="before this moment")]
ZoneOption = Annotated[
    str, typer.Option("--zone", metavar="ZONE", help="of --since and --until, e.g. Europe/Paris")
]
SortOption = Annotated[
    str, typer.Option("--sort", help="a column; a minus in front: the other way round")
]
LimitOption = Annotated[int, typer.Option("--limit", min=0, help="0: all")]
FormatOption = Annotated[LogFormat | None, typer.Option("--format")]

_SHOWN: Final = ("at", "type", "label", "delivery", "recipient", "verdict", "rule")
_TOLD_BY_TAGS: Final = ("amount", "article")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a person asked for."""

    type: str | None
    verdict: Verdict | None
    rule: str | None
    since: str | None
    until: str | None
    sort: str
    limit: int
    format: LogFormat
    zone: str = "UTC"

    def query(self, rules: "Rules") -> "LogQuery":
        """Give it as the reports take it; a time sorts newest first, everything else upwards.

        Raises:
            InvalidInput: a type, a moment or a column that is none.
        """
        from aftersend.reports.log_query import LogQuery

        column = self.sort.removeprefix("-")
        is_minus = self.sort.startswith("-")
        return LogQuery(
            type=_type(self.type),
            verdict=self.verdict,
            rule=_rule(self.rule),
            since=moment(self.since, self.zone),
            until=moment(self.until, self.zone),
            sort=column,
            is_descending=(column == "at") != is_minus,
            limit=self.limit or None,
            rules=rules,
        )


def show(listing: Listing, page: "LogPage") -> None:
    """Print a page of logs on standard output."""
    if listing.format is LogFormat.TABLE:
        names = [*_SHOWN, *(name for name in _TOLD_BY_TAGS if _is_told(page.rows, name))]
        rows = [[_shown(row, name) for name in names] for row in page.rows]
        print_table([name.replace("_", " ").capitalize() for name in names], rows)
        say(f"{len(page.rows):,} of {page.total:,} logs.")
        return
    from aftersend.reports.render import row_document

    _PRINT[listing.format]([row_document(row) for row in page.rows])


def moment(text: str | None, zone: str = "UTC") -> datetime | None:
    """Read a moment; one that names no zone is in `zone`, and a day alone is its midnight there.

    Raises:
        InvalidInput: it is none, or there is no such zone.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no moment such as 2026-03-01T09:00:00Z.") from error
    try:
        return (at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at).astimezone(UTC)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        problem = f"There is no time zone {zone!r}; write one such as Europe/Paris."
        raise InvalidInput(problem) from error


def _type(slug: str | None) -> UrlType | None:
    if slug is None:
        return None
    wanted = slug.replace("-", "_").lower()
    for kind in UrlType:
        if kind.slug == wanted:
            return kind
    raise InvalidInput(f"{slug!r} is no type; choose {', '.join(kind.slug for kind in UrlType)}.")


def _rule(name: str | None) -> str:
    from aftersend.lake.machines import described

    if name is None or name in described():
        return name or ""
    raise InvalidInput(f"There is no rule {name!r}; choose {', '.join(described())}.")


def _is_told(rows: Sequence["LogRow"], name: str) -> bool:
    return any(getattr(row, name) is not None for row in rows)


def _shown(row: "LogRow", name: str) -> object:
    if name == "amount" and row.amount is not None:
        return Decimal(f"{row.amount:.2f}")
    return row.type.label if name == "type" else getattr(row, name)


def _print_csv(documents: Sequence[dict[str, Any]]) -> None:
    from aftersend.reports.render import LOG_COLUMNS, rows_csv

    sys.stdout.write(rows_csv(LOG_COLUMNS, [list(row.values()) for row in documents]))


def _print_parquet(documents: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aftersend.reports.render import LOG_COLUMNS

    if sys.stdout.isatty():
        raise InvalidInput("Parquet is not for the screen: send it to a file with `> FILE`.")
    types: dict[str, pa.DataType] = {
        "at": pa.timestamp("us", tz="UTC"),
        "delivery_id": pa.int64(),
        "amount": pa.float64(),
        "article": pa.int64(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in LOG_COLUMNS])
    rows = [{**row, "at": datetime.fromisoformat(row["at"])} for row in documents]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sys.stdout.buffer)


_PRINT: Final[dict[LogFormat, Callable[[Sequence[dict[str, Any]]], None]]] = {
    LogFormat.CSV: _print_csv,
    LogFormat.JSON: print_json,
    LogFormat.PARQUET: _print_parquet,
}
