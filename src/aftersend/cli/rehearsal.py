"""Trying the whole road: the self-test, a simulated audience, and a demo to look at."""

from pathlib import Path
from typing import Annotated

import typer

from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    instance_directory,
    print_json,
    progress,
)

__all__ = ["register"]


def register(root: typer.Typer) -> None:
    """Add the commands of this module."""
    root.command()(selftest)
    root.command()(simulate)
    root.command()(demo)


def selftest(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Play the published example on the real road and compare every figure."""
    from aftersend.cli import selftest as played

    del instance  # it makes one of its own
    checks = played.selftest()
    is_ok = all(check.is_ok for check in checks)
    if is_json:
        print_json(
            {
                "ok": is_ok,
                "checks": [
                    {
                        "name": check.name,
                        "expected": check.expected,
                        "got": check.got,
                        "ok": check.is_ok,
                    }
                    for check in checks
                ],
            }
        )
    else:
        for check in checks:
            mark = "ok  " if check.is_ok else "FAIL"
            typer.echo(f"{mark} {check.name}: expected {check.expected}, got {check.got}")
        good = sum(check.is_ok for check in checks)
        typer.echo(f"{good} of {len(checks)} figures are as published.")
    if not is_ok:
        raise typer.Exit(1)


def simulate(
    recipients: Annotated[int, typer.Option(min=1, max=1_000_000)],
    deliveries: Annotated[int, typer.Option(min=1, max=1_000)],
    days: Annotated[int, typer.Option(min=1, max=3_650)],
    seed: Annotated[int, typer.Option(min=0)] = 1,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Send deliveries to a believable audience and let it react; then run the workflow."""
    from aftersend.cli.simulate import Wish
    from aftersend.cli.simulate import simulate as play

    with progress() as on_progress:
        done = play(
            instance_directory(instance),
            Wish(recipients, deliveries, days, seed),
            on_progress=on_progress,
        )
    if is_json:
        print_json({"messages": done.messages, "hits": done.hits})
    else:
        typer.echo(f"{done.messages:,} messages were sent, {done.hits:,} hits were answered.")
        typer.echo("Collect them: aftersend workflow run tracking")


def demo(
    instance: InstanceOption = None,
    is_check: Annotated[
        bool, typer.Option("--check", help="Ask the pages once, print `demo ok` and stop.")
    ] = False,
) -> None:
    """Make a demo instance with a believable audience, start everything, print where it is."""
    from aftersend.cli.demo import check, show

    directory = instance or Path("demo")
    if is_check:
        check(directory)
        typer.echo("demo ok")
    else:
        show(directory)
