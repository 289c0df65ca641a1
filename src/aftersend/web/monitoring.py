"""Addresses for machines that watch: no log-in, no cookies, no personal data."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from litestar import MediaType, Response, get
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.exc import SQLAlchemyError

from aftersend.database.schema import delivery, workflow, workflow_run
from aftersend.model.enumeration import DeliveryState, WorkflowState
from aftersend.platform.release import build
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS"]

_ROBOTS: Final = "User-agent: *\nDisallow: /\n"
_METRICS_TYPE: Final = "text/plain; version=0.0.4"
_LATE: Final = timedelta(hours=3)
"""So long after a run was due, health calls the workflow late."""
_RESTING: Final = {
    WorkflowState.PAUSED.value: "paused",
    WorkflowState.FINISHED.value: "stopped",
}


@get("/health", sync_to_thread=True)
def health(services: Given[Services]) -> Response[dict[str, Any]]:
    """Say whether the app can work: 200 when it can, 503 when it cannot."""
    now = services.clock.now()
    try:
        with services.database.read() as connection:
            rows = connection.execute(select(workflow)).all()
    except SQLAlchemyError:
        document = {"status": "down", "version": build(), "database": "unreachable"}
        return Response(document, status_code=503)
    workflows = {row.name: _standing(row, now) for row in rows}
    status = "ok" if set(workflows.values()) <= {"ok"} else "degraded"
    return Response(
        {
            "status": status,
            "version": build(),
            "database": "ok",
            "workflows": workflows,
        }
    )


@get("/metrics", sync_to_thread=True)
def metrics(services: Given[Services]) -> Response[bytes]:
    """Give the figures of the app in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Figures(services))
    return Response(generate_latest(registry), media_type=_METRICS_TYPE)


@get("/robots.txt", media_type=MediaType.TEXT, sync_to_thread=False)
def robots() -> str:
    """Ask search engines to stay away: nothing here is meant for them."""
    return _ROBOTS


HANDLERS: Final = (health, metrics, robots)


def _standing(row: Row[Any], now: datetime) -> str:
    """Say how a workflow stands; one that nobody runs by its schedule is not late."""
    if row.is_failed:
        return "failed"
    if row.state in _RESTING:
        return _RESTING[row.state]
    is_late = row.next_at is not None and row.next_at + _LATE < now
    return "late" if is_late else "ok"


class _Figures(Collector):
    """Reads the control plane when it is asked, so that figures never go stale in memory."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("aftersend_build_info", "Version that runs.", labels=["version"])
        info.add_metric([build()], 1)
        yield info
        with self._services.database.read() as connection:
            yield from _of_deliveries(connection)
            yield from _of_workflows(connection)


def _of_deliveries(connection: Connection) -> Iterator[Metric]:
    by_state = GaugeMetricFamily("aftersend_deliveries", "Deliveries by state.", labels=["state"])
    messages = GaugeMetricFamily(
        "aftersend_messages", "Messages by what became of them.", labels=["result"]
    )
    columns = (func.count(), func.sum(delivery.c.success), func.sum(delivery.c.error))
    success = error = 0
    for state, count, succeeded, failed in connection.execute(
        select(delivery.c.state, *columns).group_by(delivery.c.state)
    ):
        by_state.add_metric([DeliveryState(state).slug], count)
        success, error = success + (succeeded or 0), error + (failed or 0)
    messages.add_metric(["success"], success)
    messages.add_metric(["error"], error)
    yield from (by_state, messages)


def _of_workflows(connection: Connection) -> Iterator[Metric]:
    failed = GaugeMetricFamily(
        "aftersend_workflow_failed", "1 while a workflow stands failed.", labels=["workflow"]
    )
    ended = GaugeMetricFamily(
        "aftersend_workflow_last_end_seconds", "When a run last ended.", labels=["workflow"]
    )
    lines = CounterMetricFamily(
        "aftersend_workflow_lines",
        "Lines that kept runs have read, by outcome.",
        labels=["workflow", "outcome"],
    )
    for row in connection.execute(select(workflow.c.name, workflow.c.is_failed)):
        failed.add_metric([row.name], int(row.is_failed))
    runs = workflow_run.c
    for name, last, read, loaded, already in connection.execute(
        select(
            runs.workflow,
            func.max(runs.ended_at),
            func.sum(runs.read),
            func.sum(runs.loaded),
            func.sum(runs.already),
        ).group_by(runs.workflow)
    ):
        if last is not None:
            ended.add_metric([name], last.timestamp())
        outcomes = {"loaded": loaded, "already": already, "rejected": read - loaded - already}
        for outcome, count in outcomes.items():
            lines.add_metric([name, outcome], float(count))
    yield from (failed, ended, lines)
