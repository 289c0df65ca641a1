"""Technical workflows: how they stand, and everything that people do with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from aftersend.cli.operator_name import operator_name
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table
from aftersend.model.enumeration import Severity

if TYPE_CHECKING:
    from aftersend.database.engine import Database
    from aftersend.database.workflows import Workflow
    from aftersend.platform.clock import Clock
    from aftersend.workflow.engine import RunResult
    from aftersend.workflow.supervision import Overview

    class Action(Protocol):
        """What somebody does with a workflow."""

        def __call__(
            self, database: Database, name: str, *, operator: str, clock: Clock
        ) -> None: ...


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
                row.status,
                "yes" if row.is_failed else "no",
                row.schedule,
                row.last_at,
                row.next_at,
            )
            for row in rows
        ],
    )


@group.command()
def show(name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show all about one workflow: its state, schedule, error policy and run."""
    from aftersend.workflow.supervision import overview

    seen = overview(open_from(instance).database, name)
    if is_json:
        print_json(_full_document(seen))
        return
    row, last = seen.row, seen.last
    facts: list[tuple[str, object]] = [
        ("Label", row.label),
        ("Status", seen.status),
        ("Failed", "yes" if row.is_failed else "no"),
        ("Schedule", f"{row.schedule}: {seen.schedule_words}"),
        ("Set by", "an operator" if row.is_schedule_own else "the settings"),
        ("Next execution", row.next_at),
        ("Goes on with", row.resume_at or None),
        ("Error policy", _policy(row)),
        ("Errors in a row", row.errors),
        ("History", f"{row.history_days} days" if row.history_days else "for ever"),
        ("Paused since", row.paused_at),
    ]
    if last is not None:
        facts += [
            ("Last run", last.started_at),
            ("By", last.started_by or "the scheduler"),
            ("It is", last.state),
            ("Activity", last.activity or None),
            ("Done", f"{last.done:,} of {last.total:,}" if last.total else None),
            ("Error", last.error or None),
        ]
    print_table(("", name), facts)


@group.command()
def run(name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Run a workflow now and wait for its end, though it is paused or not due."""
    from aftersend.app import run_workflow

    _report(run_workflow(open_from(instance), name, operator_name()), is_json=is_json)


@group.command()
def simulate(
    name: NameArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Tell what a run would do, and change nothing; the journal says it, activity by activity."""
    from aftersend.app import run_workflow
    from aftersend.workflow import supervision

    opened = open_from(instance)
    result = run_workflow(opened, name, operator_name(), is_simulated=True)
    if not is_json:
        for line in reversed(supervision.journal(opened.database, name, run=result.run_id)):
            typer.echo(f"{line.activity}: {line.text}")
    _report(result, is_json=is_json)


@group.command()
def start(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let a workflow that is stopped or paused start by itself again."""
    from aftersend.workflow import supervision

    _act(supervision.start, name, instance)
    typer.echo(f"{name} is started.")


@group.command()
def pause(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let a workflow start no more by itself; a run ends before its next activity."""
    from aftersend.workflow import supervision

    _act(supervision.pause, name, instance)
    typer.echo(f"{name} is paused.")


@group.command()
def resume(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let a paused workflow go on where it was left."""
    from aftersend.workflow import supervision

    _act(supervision.resume, name, instance)
    typer.echo(f"{name} is started.")


@group.command()
def stop(
    name: NameArgument,
    instance: InstanceOption = None,
    is_unconditional: Annotated[
        bool, typer.Option("--force", help="Do not wait for the run: it counts as ended.")
    ] = False,
) -> None:
    """Stop a workflow until it is started; a run ends as soon as it can."""
    from aftersend.workflow import supervision

    opened = open_from(instance)
    supervision.stop(
        opened.database,
        name,
        operator=operator_name(),
        clock=opened.clock,
        is_unconditional=is_unconditional,
    )
    typer.echo(f"{name} is stopped.")


@group.command()
def restart(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let the scheduler run a workflow anew at once, from its first activity."""
    from aftersend.workflow import supervision

    _act(supervision.restart, name, instance)
    typer.echo(f"{name} is restarted.")


@group.command()
def wakeup(name: NameArgument, instance: InstanceOption = None) -> None:
    """Let the scheduler execute what is pending now: once, though the workflow is paused."""
    from aftersend.workflow import supervision

    _act(supervision.wake, name, instance)
    typer.echo(f"{name} is run as soon as the scheduler looks.")


@group.command("purge-history")
def purge_history(name: NameArgument, instance: InstanceOption = None) -> None:
    """Delete the runs and the journal of a workflow."""
    from aftersend.workflow import supervision

    opened = open_from(instance)
    count = supervision.purge_history(
        opened.database, name, operator=operator_name(), clock=opened.clock
    )
    typer.echo(f"{count:,} runs and journal lines of {name} are deleted.")


@group.command()
def policy(
    name: NameArgument,
    choice: Annotated[
        str | None, typer.Argument(metavar="[stop|ignore]", show_default=False)
    ] = None,
    instance: InstanceOption = None,
    errors_max: Annotated[
        int | None,
        typer.Option("--errors-max", help="With ignore: so many in a row pause it; 0: none does."),
    ] = None,
    history_days: Annotated[
        int | None,
        typer.Option("--history-days", help="How long runs and journal are kept; 0: for ever."),
    ] = None,
) -> None:
    """Show or set what a lasting error does, and how long history is kept."""
    from aftersend.workflow import supervision

    opened = open_from(instance)
    database, clock, who = opened.database, opened.clock, operator_name()
    row = supervision.overview(database, name).row
    if choice is not None or errors_max is not None:
        supervision.set_error_policy(
            database,
            name,
            choice or row.error_policy,
            errors_max=errors_max,
            operator=who,
            clock=clock,
        )
    if history_days is not None:
        supervision.set_history_days(database, name, history_days, operator=who, clock=clock)
    row = supervision.overview(database, name).row
    days = f"{row.history_days} days" if row.history_days else "for ever"
    typer.echo(f"{name}: error policy {_policy(row)}; history is kept {days}.")


@group.command()
def schedule(
    name: NameArgument,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False)] = None,
    instance: InstanceOption = None,
    is_default: Annotated[
        bool, typer.Option("--default", help="Take the schedule of the settings again.")
    ] = False,
) -> None:
    """Show or set when a workflow runs, e.g. "daily 04:00" or "0 * * * *", in UTC."""
    from aftersend.workflow import supervision
    from aftersend.workflow.technical import declarations

    opened = open_from(instance)
    if is_default and text is not None:
        raise typer.BadParameter("say when it runs, or --default")
    if is_default:
        found = [each for each in declarations(opened.settings) if each.name == name]
        text = found[0].schedule if found else None
    if text is not None:
        supervision.set_schedule(
            opened.database,
            name,
            text,
            operator=operator_name(),
            clock=opened.clock,
            is_own=not is_default,
        )
    seen = supervision.overview(opened.database, name)
    typer.echo(f"{name}: {seen.schedule_words}.")


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


def _act(action: "Action", name: str, instance: Path | None) -> None:
    opened = open_from(instance)
    action(opened.database, name, operator=operator_name(), clock=opened.clock)


def _report(result: "RunResult", *, is_json: bool) -> None:
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


def _full_document(seen: "Overview") -> dict[str, Any]:
    row, last = seen.row, seen.last
    return {
        "name": row.name,
        "label": row.label,
        "state": row.state.slug,
        "status": seen.status,
        "is_failed": row.is_failed,
        "is_running": seen.is_running,
        "schedule": row.schedule,
        "schedule_words": seen.schedule_words,
        "is_schedule_own": row.is_schedule_own,
        "last_at": seen.last_at,
        "next_at": row.next_at,
        "resume_at": row.resume_at,
        "error_policy": row.error_policy,
        "errors": row.errors,
        "errors_max": row.errors_max,
        "history_days": row.history_days,
        "paused_at": row.paused_at,
        "run": None
        if last is None
        else {
            "id": last.id,
            "state": last.state,
            "activity": last.activity,
            "done": last.done,
            "total": last.total,
            "started_by": last.started_by,
            "is_simulated": last.is_simulated,
            "error": last.error,
        },
    }


def _policy(row: "Workflow") -> str:
    if row.error_policy == "stop":
        return "stop"
    most = f"after {row.errors_max:,} in a row it is paused" if row.errors_max else "without end"
    return f"ignore, {most}"


def _severity(text: str | None) -> Severity | None:
    if text is None:
        return None
    for severity in Severity:
        if severity.slug == text:
            return severity
    raise typer.BadParameter("info, warning or error", param_hint="--severity")
