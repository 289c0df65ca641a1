"""Why a hit has its verdict."""

from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

if TYPE_CHECKING:
    from aftersend.reports.explain import Explanation

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the command of this module."""
    group.command()(explain)


def explain(
    log_id: Annotated[str, typer.Argument(metavar="LOG_ID", help="as lists of logs show it")],
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Say why a hit counts or does not: its rule, and the hits beside it that made the rule fit."""
    from aftersend.app import rules
    from aftersend.model.ids import LogId
    from aftersend.reports.explain import explain as work_out
    from aftersend.reports.render import explanation_document

    opened = open_from(instance)
    found = work_out(opened.database, opened.lake(), LogId(log_id), rules(opened))
    if is_json:
        print_json(explanation_document(found))
    else:
        _print(found)


def _print(found: "Explanation") -> None:
    for name, text in _lines(found):
        typer.echo(f"{name:<10} {text}".rstrip())
    if not found.evidence:
        return
    typer.echo("\nOther hits of the message near it; * made the rule fit:")
    print_table(
        ("", "Seconds", "Log id", "Type", "Label", "Verdict", "Rule", "User agent"),
        [
            (
                "*" if each.is_decisive else "",
                f"{each.offset_s:+.3f}",
                each.hit.log_id,
                each.hit.type.label,
                each.hit.label,
                each.hit.verdict.value,
                each.hit.rule,
                each.agent,
            )
            for each in found.evidence
        ],
    )


def _lines(found: "Explanation") -> list[tuple[str, str]]:
    hit, rule, agent = found.hit, found.rule, found.agent.agent
    programs = (f"{agent.browser} {agent.browser_version}".strip(), agent.os, agent.device)
    identified = ", ".join(each for each in programs if each)
    counted = "counts" if found.is_counted else "does not count"
    lines = [
        ("Hit", f"{hit.log_id}, {hit.at:%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("Verdict", f"{hit.verdict.value}: it {counted}"),
        ("Rule", "none" if rule is None else f"{rule.label} ({rule.name})"),
        ("Why", found.reason),
    ]
    if rule is not None:
        lines.append(("Source", rule.source))
    lines += [
        ("Delivery", f"{hit.delivery_id}: {hit.delivery}" if hit.delivery_id else "none"),
        ("Recipient", hit.recipient or "nobody is known"),
        ("Link", f"{hit.type.label}: {hit.label or hit.url}"),
        ("Agent", found.agent.text or "none was told"),
    ]
    if identified:
        lines.append(("", identified))
    if found.address:
        scanners = f", a network of {found.vendor}" if found.vendor else ""
        lines.append(("Network", f"{found.address}{scanners}"))
    return lines
