"""Registering workflows."""

import pytest

from aftersend.database.engine import Database
from aftersend.errors import InvalidSettings
from aftersend.model.enumeration import WorkflowState
from aftersend.platform.clock import ManualClock
from aftersend.workflow.definition import Declaration, register
from aftersend.workflow.supervision import journal, overview, overviews, pause


def _texts(database: Database) -> list[str]:
    return [line.text for line in journal(database, "tracking")]


def _declaration(schedule: str = "0 * * * *") -> Declaration:
    return Declaration("tracking", "Tracking", schedule)


def test_a_new_workflow_is_started_and_waits_for_its_hour(
    database: Database, clock: ManualClock
) -> None:
    """Registered, it runs at the next moment of its schedule without anybody's doing."""
    register(database, [_declaration()], clock=clock)

    seen = overview(database, "tracking")
    assert (seen.label, seen.state, seen.is_failed) == ("Tracking", WorkflowState.STARTED, False)
    assert seen.next_at == clock.now().replace(hour=11)
    assert seen.last_at is None


def test_registering_again_changes_nothing(database: Database, clock: ManualClock) -> None:
    """At the next start everything stands as it stood: state, next time, journal."""
    register(database, [_declaration()], clock=clock)
    pause(database, "tracking", operator="ann", clock=clock)
    before = overviews(database), _texts(database)
    clock.advance(7200)
    register(database, [_declaration()], clock=clock)

    assert (overviews(database), _texts(database)) == before


def test_a_changed_schedule_holds_from_now_on(database: Database, clock: ManualClock) -> None:
    """The next time follows the new text, and the journal says what changed."""
    register(database, [_declaration()], clock=clock)
    register(database, [_declaration("30 * * * *")], clock=clock)

    assert overview(database, "tracking").next_at == clock.now().replace(minute=30)
    assert _texts(database)[0] == 'The schedule "0 * * * *" is now "30 * * * *".'


def test_a_hasty_schedule_is_warned_of(database: Database, clock: ManualClock) -> None:
    """More often than every 15 minutes is allowed, and the journal warns of it."""
    register(database, [_declaration("*/5 * * * *")], clock=clock)

    assert _texts(database)[0] == (
        'The schedule "*/5 * * * *" runs more often than every 15 minutes.'
    )
    assert overview(database, "tracking").next_at == clock.now().replace(minute=5)


def test_an_unusable_schedule_registers_nothing(database: Database, clock: ManualClock) -> None:
    """A wrong text is refused by the name of its setting before anything is written."""
    with pytest.raises(InvalidSettings, match=r"^tracking\.schedule: "):
        register(database, [_declaration("sometimes")], clock=clock)

    assert overviews(database) == []
