"""Opening the control plane and bringing it up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from aftersend.errors import InvalidSettings

__all__ = ["Database", "migrate", "open_engine"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Database:
    """The control plane, with one way to read and one to write."""

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Look at one consistent state; nothing done here is kept."""
        with self.engine.connect().execution_options(is_reader=True) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Change all or nothing: kept at the end, undone on an exception."""
        with self.engine.begin() as connection:
            yield connection


def open_engine(url: str) -> Engine:
    """Open a database; `url` as SQLAlchemy spells it, e.g. ``sqlite:///…`` or ``postgresql+psycopg://…``.

    SQLite runs with a write-ahead log, so commands and the server work at the same time, and takes
    its write lock when a transaction begins: a reader that later writes never meets a stale view.

    Raises:
        InvalidSettings: the URL cannot be understood.
    """
    try:
        engine = create_engine(url)
    except (SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
        raise InvalidSettings(f"database.url cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; quick when they are.

    Raises:
        SQLAlchemyError: the database cannot be reached or changed.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We begin transactions ourselves; the driver would do so only at the first write.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    is_reader = connection.get_execution_options().get("is_reader", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")
