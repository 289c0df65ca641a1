"""Recipients: importing them, and what each of them did."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.log import (
    FormatOption,
    LimitOption,
    Listing,
    LogFormat,
    RuleOption,
    SinceOption,
    SortOption,
    TypeOption,
    UntilOption,
    VerdictOption,
    ZoneOption,
    show,
)
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, say

__all__ = ["group"]

group = typer.Typer(help="Recipients and what they did.", no_args_is_help=True)

_REJECTED_SHOWN = 20


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Import recipients: columns email, first_name, last_name, format and your own."""
    from aftersend.delivery.recipients import import_recipients

    opened = open_from(instance)
    report = import_recipients(opened.database, file, clock=opened.clock)
    if is_json:
        rejected = [{"row": bad.row, "reason": bad.reason} for bad in report.rejected]
        print_json({"imported": report.imported, "updated": report.updated, "rejected": rejected})
        return
    typer.echo(
        f"{report.imported:,} imported, {report.updated:,} updated,"
        f" {len(report.rejected):,} rejected."
    )
    for bad in report.rejected[:_REJECTED_SHOWN]:
        say(f"  line {bad.row}: {bad.reason}")
    if len(report.rejected) > _REJECTED_SHOWN:
        say(f"  … and {len(report.rejected) - _REJECTED_SHOWN:,} more; --json lists all.")


@group.command()
def logs(
    email: str,
    instance: InstanceOption = None,
    kind: TypeOption = None,
    verdict: VerdictOption = None,
    rule: RuleOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    zone: ZoneOption = "UTC",
    sort: SortOption = "at",
    limit: LimitOption = 200,
    output: FormatOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show the tracking logs of a recipient over all deliveries, newest first."""
    from aftersend.app import rules
    from aftersend.database import recipients
    from aftersend.reports.logs import recipient_logs

    wanted = output or (LogFormat.JSON if is_json else LogFormat.TABLE)
    listing = Listing(kind, verdict, rule, since, until, sort, limit, wanted, zone)
    opened = open_from(instance)
    query = listing.query(rules(opened))
    with opened.database.read() as connection:
        recipient = recipients.by_email(connection, email)
    show(listing, recipient_logs(opened.database, opened.lake(), recipient.id, query))
