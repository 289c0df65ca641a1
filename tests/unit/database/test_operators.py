"""Operators: who may log in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.database import operators
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.errors import InvalidInput, NotFound

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a database with the operator Ada."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database = Database(engine)
    with database.write() as connection:
        operators.add(connection, name="Ada", password="difference engine", at=NOW)
    return database


def _verify(database: Database, name: str, password: str) -> operators.Operator | None:
    with database.read() as connection:
        return operators.verify(connection, name=name, password=password)


def test_an_operator_logs_in_with_the_password(database: Database) -> None:
    """The right name and password give the operator, who is found again by id."""
    ada = _verify(database, "Ada", "difference engine")

    assert ada is not None
    with database.read() as connection:
        assert ada == operators.find(connection, ada.id)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ada", "analytical engine"),
        ("ada", "difference engine"),
        ("Bob", "difference engine"),
        ("", ""),
        ("Ada", "x" * 5000),
    ],
)
def test_nobody_else_logs_in(database: Database, name: str, password: str) -> None:
    """A wrong name or password gives nobody."""
    assert _verify(database, name, password) is None


def test_a_name_is_taken_once(database: Database) -> None:
    """A second operator of the same name is refused in one sentence."""
    with (
        pytest.raises(InvalidInput, match="There is an operator Ada already"),
        database.write() as connection,
    ):
        operators.add(connection, name="Ada", password="difference engine", at=NOW)


@pytest.mark.parametrize("name", ["", " Ada", "A\nda", "x" * 101])
def test_an_odd_name_is_refused(database: Database, name: str) -> None:
    """Names that people could not type or tell apart are refused."""
    with pytest.raises(InvalidInput, match="printable"), database.write() as connection:
        operators.add(connection, name=name, password="difference engine", at=NOW)


def test_a_short_password_is_refused(database: Database) -> None:
    """A password below the least length is refused."""
    with pytest.raises(InvalidInput, match="8 to 1024"), database.write() as connection:
        operators.add(connection, name="Bob", password="1234567", at=NOW)


def test_a_new_password_replaces_the_old_and_its_stamp(database: Database) -> None:
    """After a change only the new password works, and sessions of the old one can be told."""
    before = _verify(database, "Ada", "difference engine")
    with database.write() as connection:
        operators.change_password(connection, name="Ada", password="analytical engine")

    after = _verify(database, "Ada", "analytical engine")
    assert _verify(database, "Ada", "difference engine") is None
    assert before is not None
    assert after is not None
    assert before.stamp != after.stamp


def test_nobody_has_no_password_to_change(database: Database) -> None:
    """A new password for an unknown operator is refused."""
    with pytest.raises(NotFound, match="no operator Bob"), database.write() as connection:
        operators.change_password(connection, name="Bob", password="analytical engine")
