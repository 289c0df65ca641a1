"""Technical workflows: how they stand, running, pausing and resuming them."""

from typing import Annotated, Any

import typer

from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table
from aftersend.model.enumeration import Severity

__all__ = ["group"]

group = typer.Typer(help="Technical workflows.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="for example: tracking")]


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show how all workflows stand."""
    from aftersend.workflow.supervision import overviews

    rows = overviews(open_from(instance).database)
    if is_json:
        print_json(
            [
                {
                    "name": row.name,
                    "label": row.label,
                    "state": row.state.slug,
                    "is_failed": row.is_failed,
                    "is_running": row.is_running,
                    "schedule": row.schedule,
                    "last_at": row.last_at,
                    "next_at": row.next_at,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("Name", "Label", "State", "Failed", "Schedule (UTC)", "Last execution", "Next execution"),
        [
            (
                row.name,
                row.label,
                "Running" if row.is_running else row.state.label,
                "yes" if row.is_failed else "no",
                row.schedule,
                row.last_at,
                row.next_at,
            )
            for row in rows
        ],
    )


@group.command()
def run(name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Run a workflow now, though it is paused or not due."""
    from aftersend.app import run_workflow

    result = run_workflow(open_from(instance), name)
    counts = result.counts
    document: dict[str, Any] = {
        "state": result.state,
        "read": counts.read,
        "loaded": counts.loaded,
        "already": counts.already,
        "rejected": dict(counts.rejected),
        "deliveries": counts.deliveries,
        "seconds": round(result.seconds, 3),
    }
    if is_json:
        print_json(document)
    else:
        rejected = sum(counts.rejected.values())
        typer.echo(
            f"{result.state.capitalize()} in {result.seconds:.1f} s:"
            f" {counts.read:,} lines read = {counts.loaded:,} loaded"
            f" + {counts.already:,} already + {rejected:,} rejected;"
            f" {counts.deliveries:,} deliveries."
        )
        for reason, number in sorted(counts.rejected.items()):
            typer.echo(f"  rejected, {reason}: {number:,}")
    result.check()


@group.command()
def pause(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let a workflow start no more by itself."""
    from aftersend.workflow import supervision

    opened = open_from(instance)
    supervision.pause(opened.database, name, clock=opened.clock)
    typer.echo(f"{name} is paused.")


@group.command()
def resume(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let a workflow start by itself again."""
    from aftersend.workflow import supervision

    opened = open_from(instance)
    supervision.resume(opened.database, name, clock=opened.clock)
    typer.echo(f"{name} is started.")


@group.command()
def journal(
    name: NameArgument,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
    severity: Annotated[str | None, typer.Option(help="info, warning or error")] = None,
) -> None:
    """Show the journal of a workflow, newest first."""
    from aftersend.workflow import supervision

    lines = supervision.journal(
        open_from(instance).database, name, severity=_severity(severity), limit=limit
    )
    if is_json:
        print_json(
            [
                {
                    "at": line.at,
                    "run": line.run_id,
                    "activity": line.activity,
                    "severity": line.severity.slug,
                    "text": line.text,
                    "details": line.details,
                }
                for line in lines
            ]
        )
        return
    print_table(
        ("At (UTC)", "Activity", "Severity", "Text"),
        [(line.at, line.activity, line.severity.label, line.text) for line in lines],
    )


def _severity(text: str | None) -> Severity | None:
    if text is None:
        return None
    for severity in Severity:
        if severity.slug == text:
            return severity
    raise typer.BadParameter("info, warning or error", param_hint="--severity")
