"""Every table of the control plane, with the names of the field.

Times are aware and in UTC in Python, text without zone in SQLite, `timestamptz` in PostgreSQL.
Enumerations are kept as the codes of `aftersend.model.enumeration`.
Source: spec §1.3 to §1.11; architecture, "Control plane tables".
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

__all__ = ["UtcDateTime", "metadata"]

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up only columns of type INTEGER, which hold 64 bits there."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware and in UTC on the Python side."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times; SQLite keeps UTC without a zone."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times are aware"
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give aware UTC times."""
        if value is None:
            return None
        at: datetime = value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _hash_of_source(context: Any) -> str:
    return sha256(context.get_current_parameters()["source"].encode()).hexdigest()


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

option = Table(
    "option",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

operator = Table(
    "operator",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

recipient = Table(
    "recipient",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("domain", String(255), nullable=False),
    Column("first_name", String(255), nullable=False, default=""),
    Column("last_name", String(255), nullable=False, default=""),
    Column("format", SmallInteger, nullable=False, default=0),
    Column("is_denylisted", Boolean, nullable=False, default=False),
    Column("fields", JSON, nullable=False, default=dict),
    Column("created_at", UtcDateTime, nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("internal_name", String(100), nullable=False, unique=True),
    Column("label", String(255), nullable=False),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("sender", String(500), nullable=False),
    Column("subject", Text, nullable=False),
    Column("is_tracked", Boolean, nullable=False, default=True),
    Column("is_open_tracked", Boolean, nullable=False, default=True),
    Column("is_target_all", Boolean, nullable=False, default=True),
    Column("kind", SmallInteger, nullable=False, default=0, server_default="0"),
    # Of a proof or a tracking test: what it was made from, and which one in a row it is.
    Column("origin_id", BigInteger),
    Column("proof_number", Integer, nullable=False, default=0, server_default="0"),
    # How long links are tracked and pages of the message shown, from the contact date; 0: always.
    Column("validity_s", BigInteger, nullable=False, default=0, server_default="0"),
    Column("resources_s", BigInteger, nullable=False, default=0, server_default="0"),
    Column("substitution_url", Text, nullable=False, default="", server_default=""),
    Column("pixel", String(16), nullable=False, default="bottom", server_default="bottom"),
    # Whose public addresses its links have: a name of `brands` in the settings; empty: nobody's.
    Column("brand", String(64), nullable=False, default="", server_default=""),
    Column(
        "mirror_mode", String(16), nullable=False, default="if-linked", server_default="if-linked"
    ),
    Column("click_formula", Text, nullable=False, default="", server_default=""),
    Column("open_formula", Text, nullable=False, default="", server_default=""),
    Column("link_parameters", Text, nullable=False, default="", server_default=""),
    # Why the analysis had to leave a tracked message without tracking; empty: it did not.
    Column("untracked_reason", Text, nullable=False, default="", server_default=""),
    Column("to_deliver", Integer, nullable=False, default=0),
    Column("text_count", Integer, nullable=False, default=0),
    Column("rejected", Integer, nullable=False, default=0),
    Column("success", Integer, nullable=False, default=0),
    Column("error", Integer, nullable=False, default=0),
    Column("created_at", UtcDateTime, nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
    Column("analysed_at", UtcDateTime),
    Column("contact_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    sqlite_autoincrement=True,
)

content = Table(
    "content",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id"), primary_key=True),
    Column("html", Text),
    Column("text", Text),
    # What instructions of the content may name: delivery variables and loaded objects, by name.
    Column("variables", JSON, nullable=False, default=dict, server_default="{}"),
    Column("objects", JSON, nullable=False, default=dict, server_default="{}"),
    # The content after the last analysis carried out its instructions; null: it has none.
    Column("expanded_subject", Text),
    Column("expanded_html", Text),
    Column("expanded_text", Text),
)

block = Table(
    "block",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
)

enumeration_value = Table(
    "enumeration_value",
    metadata,
    Column("enumeration", String(64), primary_key=True),
    Column("value", String(100), primary_key=True),
    Column("label", String(255), nullable=False),
)

delivery_target = Table(
    "delivery_target",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id"), primary_key=True),
    Column("recipient_id", ForeignKey("recipient.id"), primary_key=True),
)

seed = Table(
    "seed",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id"), nullable=False),
    Column("email", String(320), nullable=False),
    Column("first_name", String(255), nullable=False, default=""),
    Column("last_name", String(255), nullable=False, default=""),
    UniqueConstraint("delivery_id", "email"),
)

tracked_url = Table(
    "tracked_url",
    metadata,
    # Row 1 is the "Open" URL that all deliveries share; it has no delivery.
    Column("id", BigId, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id")),
    Column("type", SmallInteger, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("part", String(1), nullable=False),
    Column("label", String(255), nullable=False),
    Column("category", String(100), nullable=False, default=""),
    Column("source", Text, nullable=False),
    # SHA-256 of the source in hex: no index of PostgreSQL holds a URL of 8 KB.
    Column("source_hash", String(64), nullable=False, default=_hash_of_source),
    Column("occurrences", Integer, nullable=False, default=1),
    # What the content itself asked for when it was last read: what differs was chosen by somebody.
    Column("found_mode", String(16), nullable=False, default="", server_default=""),
    Column("found_label", String(255), nullable=False, default="", server_default=""),
    Column("found_category", String(100), nullable=False, default="", server_default=""),
    # Stopped by an operator: whoever clicks is shown a page that says so.
    Column("is_blocked", Boolean, nullable=False, default=False, server_default=false()),
    # Of a web tag, which belongs to no delivery: how pages name it, and until when it counts.
    Column("tag_id", String(128), unique=True),
    Column("folder", String(100), nullable=False, default="", server_default=""),
    Column("valid_until", UtcDateTime),
    UniqueConstraint("delivery_id", "part", "source_hash"),
    sqlite_autoincrement=True,
)

url_memory = Table(
    "url_memory",
    metadata,
    Column("source_hash", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("label", String(255), nullable=False),
    Column("category", String(100), nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
)

message = Table(
    "message",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id"), nullable=False),
    # 0 for a seed address, which is no recipient.
    Column("recipient_id", BigInteger, nullable=False),
    Column("address", String(320), nullable=False),
    Column("domain", String(255), nullable=False),
    Column("is_seed", Boolean, nullable=False, default=False),
    Column("is_text", Boolean, nullable=False, default=False),
    Column("status", SmallInteger, nullable=False),
    Column("failure_type", SmallInteger, nullable=False, default=0),
    Column("failure_reason", SmallInteger, nullable=False, default=0),
    Column("failure_text", Text, nullable=False, default=""),
    Column("event_at", UtcDateTime, nullable=False),
    UniqueConstraint("delivery_id", "address"),
    Index(None, "delivery_id", "status"),
    Index(None, "recipient_id"),
    sqlite_autoincrement=True,
)

exclusion = Table(
    "exclusion",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id"), nullable=False, index=True),
    Column("recipient_id", BigInteger, nullable=False),
    Column("address", String(320), nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

analysis_check = Table(
    "analysis_check",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id"), nullable=False, index=True),
    Column("level", SmallInteger, nullable=False),
    Column("rule", String(100), nullable=False),
    Column("text", Text, nullable=False),
)

tracking_server = Table(
    "tracking_server",
    metadata,
    Column("id", String(1), primary_key=True),
    Column("internal_url", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # What it said of itself when it was registered; null: it was not reached yet.
    Column("registered_at", UtcDateTime),
    Column("build", String(50), nullable=False, default="", server_default=""),
    Column("host", String(255), nullable=False, default="", server_default=""),
    # Why it could not be registered or reached the last time; empty: it was.
    Column("problem", Text, nullable=False, default="", server_default=""),
)

public_address = Table(
    "public_address",
    metadata,
    Column("url", Text, primary_key=True),
    Column("checked_at", UtcDateTime, nullable=False),
    # Null: it never led to a tracking server of ours.
    Column("verified_at", UtcDateTime),
    # One letter or digit for each tracking server that answered.
    Column("servers", String(64), nullable=False, default=""),
    Column("problem", Text, nullable=False, default=""),
)

user_agent = Table(
    "user_agent",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

tracking_stats = Table(
    "tracking_stats",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    Column("url_id", BigInteger, primary_key=True),
    Column("start", UtcDateTime, primary_key=True),
    Column("total_clicks", Integer, nullable=False),
    # Hits of a web tag are spread over deliveries.
    Index(None, "url_id", "start"),
)

delivery_log_stats = Table(
    "delivery_log_stats",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    Column("domain", String(255), primary_key=True),
    Column("success", Integer, nullable=False),
    Column("error", Integer, nullable=False),
    Column("recipient_open", Integer, nullable=False),
    Column("recipient_click", Integer, nullable=False),
    Column("person_click", Integer, nullable=False),
    Column("opt_out", Integer, nullable=False),
)

delivery_indicator = Table(
    "delivery_indicator",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    Column("recipient_open", Integer, nullable=False),
    Column("total_recipient_open", Integer, nullable=False),
    Column("recipient_click", Integer, nullable=False),
    Column("person_click", Integer, nullable=False),
    Column("total_recipient_click", Integer, nullable=False),
    Column("opt_out", Integer, nullable=False),
    Column("mirror_page", Integer, nullable=False),
    Column("total_web_page", Integer, nullable=False, default=0, server_default="0"),
    Column("transaction", Integer, nullable=False, default=0, server_default="0"),
    Column("amount", Float, nullable=False, default=0.0, server_default="0"),
    Column("article", BigInteger, nullable=False, default=0, server_default="0"),
    Column("computed_at", UtcDateTime, nullable=False),
    Column("lake_version", BigInteger, nullable=False),
)

workflow = Table(
    "workflow",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("label", String(255), nullable=False),
    Column("schedule", String(100), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("is_failed", Boolean, nullable=False, default=False),
    Column("next_at", UtcDateTime),
    Column("lease_owner", String(255), nullable=False, default=""),
    Column("lease_until", UtcDateTime),
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
