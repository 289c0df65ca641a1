"""The technical workflows that there are."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import update

from aftersend import app
from aftersend.app import Instance
from aftersend.database import schema
from aftersend.database.engine import Database
from aftersend.errors import Busy
from aftersend.lake.table import Lake
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from aftersend.settings import CollectorSettings, Settings, TrackingSettings, WebSettings
from aftersend.tracking.steps import Context
from aftersend.workflow import engine
from aftersend.workflow.definition import Declaration, Definition, register
from aftersend.workflow.owner import Owner
from aftersend.workflow.technical import TRACKING, declarations, technical
from aftersend.workflow.tracking import guarded

_DECLARATION = Declaration(TRACKING, "Tracking", "0 * * * *")


class _Step:
    name = "step"
    label = "Step"
    simulate = None

    def __init__(self, do: Callable[[Context], StepReport]) -> None:
        self.do = do


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock) -> Instance:
    """Give an instance of one's own."""
    app.init(tmp_path / "instance", entropy=SeededEntropy(1))
    return app.open_instance(tmp_path / "instance", clock=clock)


def test_workflows_are_declared_with_their_settings() -> None:
    """Schedule and lease come from the settings."""
    settings = Settings(
        keys={1: "00" * 16},
        collector=CollectorSettings(password="p" * 16),
        web=WebSettings(secret="s" * 32),
        tracking=TrackingSettings(schedule="30 * * * *", lease_s=77),
    )
    declared = {each.name: each for each in declarations(settings)}

    assert declared[TRACKING] == Declaration(TRACKING, "Tracking", "30 * * * *", lease_s=77)


def test_what_is_declared_is_defined(opened: Instance) -> None:
    """Each workflow that the control plane knows can be run, and has steps."""
    defined = technical(app.surroundings(opened))

    assert [each.declaration for each in defined] == list(declarations(opened.settings))
    assert all(each.steps for each in defined)


def test_the_steps_of_tracking_are_in_their_order(opened: Instance) -> None:
    """What is downloaded is loaded, what is loaded is attributed, then figures follow."""
    steps = [step.name for step in technical(app.surroundings(opened))[0].steps]

    order = ["download", "load", "attribute", "consolidate"]
    assert [name for name in steps if name in order] == order


def test_opening_an_instance_imports_no_steps(tmp_path: Path) -> None:
    """A command that runs no workflow does not wait for the data plane."""
    app.init(tmp_path / "instance", entropy=SeededEntropy(1))
    script = (
        "import sys; from pathlib import Path; from aftersend import app;"
        f"app.open_instance(Path({str(tmp_path / 'instance')!r}));"
        "print([name for name in ('duckdb', 'aftersend.tracking') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_tracking_runs_though_there_is_nothing_to_do(opened: Instance) -> None:
    """An instance that nobody has visited yet has a run that finishes."""
    result = app.run_workflow(opened, TRACKING)
    result.check()

    assert (result.state, result.counts.read) == ("finished", 0)


def test_a_run_that_lost_its_lease_stops_before_its_next_effect(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Between two lasting effects of one step the run finds that another has taken over."""
    passed: list[str] = []

    def do(given: Context) -> StepReport:
        given.passing("load:begun")
        passed.append("first effect")
        _take_over(database)
        given.passing("load:appended")
        passed.append("second effect")
        return StepReport("Done.")

    context = Context(
        database=database,
        lake=Lake.open(str(tmp_path / "lake"), options={}, clock=clock),
        sources=(),
        inbox=tmp_path / "inbox",
        clock=clock,
        settings=TrackingSettings(),
    )
    definition = Definition(_DECLARATION, [_Step(do)], lambda: nullcontext(context), guarded)
    register(database, [_DECLARATION], clock=clock)
    result = engine.run(database, definition, clock=clock, owner=Owner.current(), is_forced=True)

    assert isinstance(result.failure, Busy)
    assert passed == ["first effect"]


def _take_over(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(schema.workflow).values(lease_owner="web2:k:1:1/99"))
