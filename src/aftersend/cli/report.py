"""Reports."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.log import SinceOption, UntilOption, ZoneOption, moment
from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    figure_row,
    open_from,
    print_table,
    say,
)

if TYPE_CHECKING:
    from aftersend.reports.report import Report

__all__ = ["register"]


class ReportFormat(StrEnum):
    """How reports are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class ReportName(StrEnum):
    """The reports there are."""

    TRACKING_INDICATORS = "tracking-indicators"
    FUNNEL = "funnel"


def register(root: typer.Typer) -> None:
    """Add the commands of this module."""
    root.command()(report)


def report(
    name: ReportName,
    instance: InstanceOption = None,
    delivery: Annotated[
        list[int] | None, typer.Option("--delivery", metavar="ID", help="may be repeated")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    zone: ZoneOption = "UTC",
    is_all_hits: Annotated[
        bool, typer.Option("--all-hits", help="Count machines, suspects and repeats, too.")
    ] = False,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="of a funnel: its steps, in their order"),
    ] = None,
    output: Annotated[ReportFormat | None, typer.Option("--format")] = None,
    is_json: JsonOption = False,
) -> None:
    """Compute a report for some deliveries, or for all that were sent."""
    from aftersend.app import rules
    from aftersend.model.ids import DeliveryId
    from aftersend.reports import funnel, render, tracking_indicators
    from aftersend.reports.scope import Scope

    if tag and name is not ReportName.FUNNEL:
        raise typer.BadParameter("--tag is for the report funnel")
    opened = open_from(instance)
    scope = Scope(
        deliveries=[DeliveryId(number) for number in delivery] if delivery else None,
        since=moment(since, zone),
        until=moment(until, zone),
        is_all_hits=is_all_hits,
        rules=rules(opened),
    )
    if name is ReportName.FUNNEL:
        outcome = funnel.report(opened.database, opened.lake(), tag or (), scope)
    else:
        outcome = tracking_indicators.report(opened.database, opened.lake(), scope)
    wanted = output or (ReportFormat.JSON if is_json else ReportFormat.TABLE)
    if wanted is ReportFormat.JSON:
        sys.stdout.write(render.to_json(outcome))
    elif wanted is ReportFormat.CSV:
        sys.stdout.write(render.to_csv(outcome))
    else:
        _print(outcome)


def _print(outcome: "Report") -> None:
    print_table(
        ("Indicator", "Value", "Rate"),
        [figure_row(one) for one in outcome.indicators.values()],
    )
    for table in outcome.tables.values():
        say(table.label)
        rows = [[row[name] for name in table.columns] for row in table.rows]
        print_table(tuple(table.columns.values()), rows)
    for note in outcome.notes:
        say(note)
    upto = (
        "nothing collected yet" if outcome.as_of is None else f"{outcome.as_of:%Y-%m-%d %H:%M} UTC"
    )
    say(f"Data up to: {upto}.")
