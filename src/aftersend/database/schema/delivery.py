"""Recipients, deliveries, their content, links and messages (spec §1.3 to §1.7)."""

from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from aftersend.database.schema.base import BigId, UtcDateTime, metadata

__all__ = ["analysis_check", "block", "content", "delivery", "delivery_target", "exclusion"]
__all__ += ["message", "recipient", "seed", "tracked_url", "url_memory"]


def _hash_of_source(context: Any) -> str:
    return sha256(context.get_current_parameters()["source"].encode()).hexdigest()


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
    # Deleted by somebody: hidden at once, removed by the cleanup later.
    Column("deleted_at", UtcDateTime),
    # The cleanup has removed messages of it, so they cannot be counted again.
    Column("messages_purged_at", UtcDateTime),
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
