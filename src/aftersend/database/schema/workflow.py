"""Workflows, their runs and their journal, and the people (spec §1.11, §9)."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)

from aftersend.database.schema.base import BigId, UtcDateTime, metadata

__all__ = ["api_token", "audit_entry", "journal_line", "operator", "workflow", "workflow_run"]

workflow = Table(
    "workflow",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("label", String(255), nullable=False),
    Column("schedule", String(255), nullable=False),
    # Set by an operator, so that the settings do not change it any more.
    Column("is_schedule_own", Boolean, nullable=False, default=False, server_default=false()),
    # Runs that the schedule has begun since it was set, for one that allows only so many.
    Column("scheduled_runs", Integer, nullable=False, default=0, server_default="0"),
    Column("state", SmallInteger, nullable=False),
    Column("is_failed", Boolean, nullable=False, default=False),
    Column("next_at", UtcDateTime),
    Column("lease_owner", String(255), nullable=False, default=""),
    Column("lease_until", UtcDateTime),
    # What an operator asked of the run that goes on: pause or stop; empty: nothing.
    Column("request", String(16), nullable=False, default="", server_default=""),
    # The activity that the next run begins with, after one that failed there; empty: the first.
    Column("resume_at", String(100), nullable=False, default="", server_default=""),
    Column("error_policy", String(16), nullable=False, default="stop", server_default="stop"),
    # Failures in a row, and how many of them pause a workflow that ignores errors; 0: none does.
    Column("errors", Integer, nullable=False, default=0, server_default="0"),
    Column("errors_max", Integer, nullable=False, default=0, server_default="0"),
    # How long runs and journal are kept; 0: for ever.
    Column("history_days", Integer, nullable=False, default=30, server_default="30"),
    # Since when it is paused, and how often the supervisors were told of it.
    Column("paused_at", UtcDateTime),
    Column("notices", Integer, nullable=False, default=0, server_default="0"),
)

workflow_run = Table(
    "workflow_run",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("workflow", ForeignKey("workflow.name"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("state", String(16), nullable=False),
    Column("read", BigInteger, nullable=False, default=0),
    Column("loaded", BigInteger, nullable=False, default=0),
    Column("already", BigInteger, nullable=False, default=0),
    Column("rejected", JSON, nullable=False, default=dict),
    Column("deliveries", Integer, nullable=False, default=0),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("error", Text, nullable=False, default=""),
    # Where the run is, and how far: done of total, of whatever the activity counts.
    Column("activity", String(100), nullable=False, default="", server_default=""),
    Column("done", BigInteger, nullable=False, default=0, server_default="0"),
    Column("total", BigInteger, nullable=False, default=0, server_default="0"),
    Column("is_simulated", Boolean, nullable=False, default=False, server_default=false()),
    # Who started it by hand; empty: the schedule.
    Column("started_by", String(100), nullable=False, default="", server_default=""),
    # The activity that it began with, after one that failed there; empty: the first.
    Column("begun_with", String(100), nullable=False, default="", server_default=""),
    Index(None, "workflow", "started_at"),
    sqlite_autoincrement=True,
)

journal_line = Table(
    "journal_line",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("workflow", String(100), nullable=False),
    Column("run_id", BigInteger),
    Column("at", UtcDateTime, nullable=False),
    Column("activity", String(100), nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("details", JSON, nullable=False, default=dict),
    Index(None, "workflow", "at"),
    sqlite_autoincrement=True,
)

operator = Table(
    "operator",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    # Of what kind the thing is, e.g. workflow, and its name or number.
    Column("entity", String(50), nullable=False),
    Column("name", String(255), nullable=False),
    Column("action", String(50), nullable=False),
    # Name of the operator; at the command line the name of the system's user.
    Column("operator", String(100), nullable=False),
    Column("details", JSON, nullable=False, default=dict),
    sqlite_autoincrement=True,
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("label", String(100), nullable=False, unique=True),
    # SHA-256 of the token in hex: a token has 256 random bits, so nothing slower is needed.
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
)
