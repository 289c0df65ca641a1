"""A small instance to draw pages of, and a way to log in to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from aftersend.content import Addresses
from aftersend.database import operators
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.delivery.office import PostOffice
from aftersend.lake.table import Lake
from aftersend.model.run import Counts
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import SeededEntropy
from aftersend.settings import CollectorSettings, Settings, WebSettings
from aftersend.tracking.rejected import Retried
from aftersend.web.services import Services
from aftersend.workflow.engine import RunResult

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME, PASSWORD = "Ada", "difference engine"
KEYS = KeyRing({1: bytes(16)})


@dataclass(slots=True)
class Runs:
    """Stands in for the workflow engine: remembers what was asked for, or fails as told."""

    names: list[str] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    error: Exception | None = None
    retried: list[tuple[str, str]] = field(default_factory=list)
    recomputed: list[tuple[Sequence[int], str]] = field(default_factory=list)

    def retry(self, reason: str, operator: str) -> Retried:
        """Try nothing again, and remember what was asked for."""
        self.retried.append((reason, operator))
        if self.error is not None:
            raise self.error
        return Retried(3, 2, 0, {"unresolved": 1})

    def recompute(self, deliveries: Sequence[int], operator: str) -> int:
        """Compute nothing anew, and remember what was asked for."""
        self.recomputed.append((list(deliveries), operator))
        if self.error is not None:
            raise self.error
        return len(deliveries)

    def __call__(self, name: str, operator: str = "") -> RunResult:
        """Run nothing."""
        self.names.append(name)
        self.operators.append(operator)
        if self.error is not None:
            raise self.error
        return RunResult(name, 1, "finished", Counts(), 0.0)


def make_services(directory: Path, *, clock: Clock, runs: Any) -> Services:
    """Make an instance with one operator and nothing else."""
    services = open_services(directory, clock=clock, runs=runs)
    migrate(services.database.engine)
    with services.database.write() as connection:
        operators.add(connection, name=NAME, password=PASSWORD, at=NOW)
    return services


def open_services(directory: Path, *, clock: Clock, runs: Any) -> Services:
    """Open an instance that `make_services` made in `directory`."""
    database = Database(open_engine(f"sqlite:///{directory / 'a.sqlite'}"))
    return Services(
        office=PostOffice(
            database=database,
            clock=clock,
            keys=KEYS,
            addresses=Addresses(redirect="http://t.example", app="http://app.example"),
            catalogue=directory / "catalogue",
            sending=directory / "sending",
            password="a password for tests",
        ),
        lake=Lake.open(str(directory / "lake"), options={}, clock=clock),
        settings=Settings(
            keys={1: "00" * 16},
            collector=CollectorSettings(password="a password for tests"),
            web=WebSettings(secret="s" * 32, time_zone="Europe/Paris"),
        ),
        entropy=SeededEntropy(1),
        sessions=directory / "sessions",
        run_workflow=runs,
        simulate_workflow=lambda name, operator: runs(f"simulation of {name}", operator),
        retry_rejected=getattr(runs, "retry", lambda _reason, _operator: Retried(0, 0, 0)),
        recompute=getattr(runs, "recompute", lambda deliveries, _operator: len(deliveries)),
    )


def csrf(client: TestClient[Any]) -> str:
    """Give the token that forms carry."""
    if "aftersend_csrf" not in client.cookies:
        client.get("/login")
    token: str = client.cookies["aftersend_csrf"]
    return token


def log_in(client: TestClient[Any], *, password: str = PASSWORD) -> None:
    """Log the operator in through the form."""
    answer = client.post(
        "/login",
        data={"name": NAME, "password": password, "_csrf_token": csrf(client)},
        follow_redirects=False,
    )
    assert answer.status_code == 303
