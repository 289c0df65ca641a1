"""User agents that were seen, and what is made of their texts."""

from dataclasses import asdict
from typing import Annotated

import typer

from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, print_table

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the command to the group of tracking."""
    group.command()(agents)


def agents(
    is_unrecognised: Annotated[
        bool, typer.Option("--unrecognised", help="Only those that nothing is known of.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0: all.")] = 100,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """List user agents with what their texts say, those with the most clicks first."""
    from aftersend.database import user_agents

    with open_from(instance).database.read() as connection:
        found = user_agents.listed(connection, is_unrecognised=is_unrecognised, limit=limit or None)
    if is_json:
        print_json(
            [
                # As text, because not all who read JSON keep numbers of 64 bits.
                {"id": str(one.id), "text": one.text, "clicks": one.clicks, **asdict(one.agent)}
                for one in found
            ]
        )
        return
    print_table(
        ("Clicks", "Browser", "System", "Device", "Rule", "Text"),
        [
            (
                one.clicks,
                f"{one.agent.browser} {one.agent.browser_version}".strip() or None,
                one.agent.os or None,
                one.agent.device or None,
                one.agent.rule or None,
                one.text,
            )
            for one in found
        ],
    )
