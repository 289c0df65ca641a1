"""What all tables of the control plane share: types of columns, and the metadata.

Times are aware and in UTC in Python, text without zone in SQLite, `timestamptz` in PostgreSQL.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, TypeDecorator

__all__ = ["BigId", "UtcDateTime", "metadata"]

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


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
