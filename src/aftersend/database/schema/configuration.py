"""What an instance is told: options, enumerations, tracking servers (spec §1.11, §2)."""

from sqlalchemy import Column, String, Table, Text

from aftersend.database.schema.base import UtcDateTime, metadata

__all__ = ["enumeration_alias", "enumeration_value", "option", "public_address", "tracking_server"]

option = Table(
    "option",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

enumeration_value = Table(
    "enumeration_value",
    metadata,
    Column("enumeration", String(64), primary_key=True),
    Column("value", String(100), primary_key=True),
    Column("label", String(255), nullable=False),
)

enumeration_alias = Table(
    "enumeration_alias",
    metadata,
    Column("enumeration", String(64), primary_key=True),
    Column("alias", String(255), primary_key=True),
    Column("value", String(100), nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
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
