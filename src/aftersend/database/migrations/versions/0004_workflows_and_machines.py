"""Columns and tables of workflows, user agents, statistics by rule, audit and tokens."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FAILURES = (
    "user_unknown",
    "invalid_domain",
    "unreachable",
    "account_disabled",
    "mailbox_full",
    "not_connected",
    "refused",
    "complaints",
)


def upgrade() -> None:
    """Add them."""
    _extend_user_agent()
    _extend_statistics()
    _extend_workflow()
    _create_statistics()
    _create_audit()
    op.add_column("delivery", _time("deleted_at"))
    op.add_column("delivery", _time("messages_purged_at"))


def _text(name: str, length: int, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, server_default=default)


def _number(name: str, default: str = "0") -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _extend_user_agent() -> None:
    for name, length in (
        ("browser", 50),
        ("browser_version", 10),
        ("os", 50),
        ("os_family", 20),
        ("device", 255),
    ):
        op.add_column("user_agent", _text(name, length))
    op.add_column("user_agent", _flag("is_mobile"))
    op.add_column("user_agent", _flag("is_recognised"))
    op.add_column("user_agent", _text("rule", 32))
    op.add_column("user_agent", _text("edition", 64))


def _extend_statistics() -> None:
    for name in ("prepared", *_FAILURES):
        op.add_column("delivery_log_stats", _number(name))
    op.add_column("delivery_indicator", _count("hits"))
    op.add_column("delivery_indicator", _count("pending"))
    op.add_column("delivery_indicator", _time("pending_since"))
    op.add_column("delivery_indicator", _time("pending_from"))
    op.add_column("delivery_indicator", _flag("is_frozen"))


def _extend_workflow() -> None:
    with op.batch_alter_table("workflow") as batch:
        batch.alter_column(
            "schedule",
            existing_type=sa.String(length=100),
            type_=sa.String(length=255),
            existing_nullable=False,
        )
    op.add_column("workflow", _flag("is_schedule_own"))
    op.add_column("workflow", _number("scheduled_runs"))
    op.add_column("workflow", _text("request", 16))
    op.add_column("workflow", _text("resume_at", 100))
    op.add_column("workflow", _text("error_policy", 16, "stop"))
    op.add_column("workflow", _number("errors"))
    op.add_column("workflow", _number("errors_max"))
    op.add_column("workflow", _number("history_days", "30"))
    op.add_column("workflow", _time("paused_at"))
    op.add_column("workflow", _number("notices"))
    op.add_column("workflow_run", _text("activity", 100))
    op.add_column("workflow_run", _count("done"))
    op.add_column("workflow_run", _count("total"))
    op.add_column("workflow_run", _flag("is_simulated"))
    op.add_column("workflow_run", _text("started_by", 100))
    op.add_column("workflow_run", _text("begun_with", 100))


def _create_statistics() -> None:
    op.create_table(
        "user_agent_stats",
        sa.Column("agent_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("visitors_of_the_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "day", name=op.f("pk_user_agent_stats")),
    )
    op.create_index(op.f("ix_user_agent_stats_day"), "user_agent_stats", ["day"])
    op.create_table(
        "delivery_rule_stats",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("url_type", sa.SmallInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "delivery_id", "rule", "url_type", name=op.f("pk_delivery_rule_stats")
        ),
    )
    op.create_table(
        "enumeration_alias",
        sa.Column("enumeration", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("enumeration", "alias", name=op.f("pk_enumeration_alias")),
    )


def _create_audit() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_entry",
        sa.Column("id", key, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entity", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("operator", sa.String(length=100), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_entry_at"), "audit_entry", ["at"])
    op.create_table(
        "api_token",
        sa.Column("id", key, nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("label", name=op.f("uq_api_token_label")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
