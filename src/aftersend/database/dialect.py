"""What SQLite and PostgreSQL spell differently from the rest of SQL, but alike between them."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_or"]


def insert_or(connection: Connection, table: Table) -> Any:
    """Begin an INSERT that can say ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
