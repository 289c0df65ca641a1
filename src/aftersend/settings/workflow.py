"""Settings of the technical workflows: Tracking, who is a machine, cleanup, supervision."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, field_validator

from aftersend.settings.section import Section

__all__ = ["MachineSettings", "PurgeSettings", "SupervisionSettings", "TrackingSettings"]

Percent = Annotated[float, Field(ge=0, le=100)]


class TrackingSettings(Section):
    """The Tracking workflow (spec §2.4, §5)."""

    schedule: str = Field(default="0 * * * *", description="cron text, UTC")
    consolidation_period_s: int = Field(
        default=300, ge=60, le=86_400, description="bucket of the statistics over time"
    )
    dedup_open_period_s: int = Field(
        default=60, ge=0, le=86_400, description="opens of a message within this are one"
    )
    log_count_per_request: int = Field(
        default=1000,
        ge=0,
        le=10_000,
        description="lines asked of a remote server at once; 0: all, as a stream",
    )
    load_lines_max: int = Field(default=500_000, ge=1_000, description="lines a commit")
    servers_at_once: int = Field(
        default=4, ge=1, le=62, description="tracking servers that are asked side by side"
    )
    rejected_max: int = Field(
        default=1_000,
        ge=0,
        description="damaged lines of one run after which the workflow pauses in error; 0: never",
    )
    unresolved_days: int = Field(
        default=7, ge=0, le=365, description="how long lines of unknown messages are tried again"
    )
    ignore_percent: Percent = Field(
        default=1.0,
        description="figures of a delivery wait while fewer of its hits than this are new",
    )
    ignore_period_s: int = Field(
        default=86_400, ge=0, description="but no longer than this, in seconds"
    )
    indicators_duration_s: int = Field(
        default=2_592_000,
        ge=0,
        description="so long after its validity a delivery is still computed, in seconds",
    )
    lease_s: int = Field(default=300, ge=10, description="after this a run that died is taken over")


class MachineSettings(Section):
    """Who is taken for a machine; the rules themselves are part of the program."""

    off: tuple[str, ...] = Field(default=(), description="names of rules that are not applied")
    burst_s: float = Field(
        default=1.0, ge=0, le=60, description="different links within this are a burst, in seconds"
    )
    burst_open_s: int = Field(
        default=60, ge=0, le=3600, description="an open this long before a burst belongs to it"
    )
    honeypot_s: int = Field(
        default=10, ge=0, le=3600, description="what is this near to a hit of the hidden link"
    )
    probe_s: int = Field(
        default=10, ge=0, le=3600, description="what follows a garbled token within this"
    )
    allow_agents: tuple[str, ...] = Field(
        default=(), description="texts; a user agent that contains one is no machine by its name"
    )
    allow_networks: tuple[str, ...] = Field(
        default=(), description="networks such as 192.0.2.0/24 whose clicks are never suspect"
    )

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(network)) for network in networks)


class PurgeSettings(Section):
    """How long things are kept, in days (spec §10.1); 0 is for ever."""

    schedule: str = Field(default="0 4 * * *", description="when the cleanup runs")
    lake_schedule: str = Field(
        default="30 4 * * *", description="when files of the lake are joined and removed"
    )
    deleted_deliveries_days: int = Field(default=7, ge=0, description="deliveries that are deleted")
    job_logs_days: int = Field(default=90, ge=0, description="messages of analyses")
    rejects_days: int = Field(default=180, ge=0, description="lines that could not be loaded")
    tracking_logs_days: int = Field(default=360, ge=0, description="raw hits")
    consolidated_tracking_days: int = Field(default=360, ge=0, description="statistics over time")
    delivery_logs_days: int = Field(default=180, ge=0, description="messages and exclusions")
    audit_days: int = Field(default=180, ge=0, description="the audit trail")
    batch_rows: int = Field(
        default=5_000, ge=100, le=100_000, description="rows deleted at once, so that others go on"
    )
    lake_files_days: int = Field(
        default=7, ge=1, description="files that were replaced, while somebody may still read them"
    )


class SupervisionSettings(Section):
    """Who is told when a workflow fails."""

    emails: tuple[str, ...] = Field(default=(), description="addresses of the supervisors")
    sender: str = Field(
        default="", description="sender of these messages; none: aftersend@ and this host"
    )
    paused_days: int = Field(
        default=7, ge=1, le=365, description="a workflow paused longer is told of, each week"
    )
    paused_schedule: str = Field(default="0 5 * * 1", description="when that is looked at")
