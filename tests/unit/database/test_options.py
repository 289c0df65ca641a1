"""Options of the instance."""

import pytest

from aftersend.database import options
from aftersend.database.engine import Database
from aftersend.errors import InvalidInput, NotFound


def test_an_option_is_read_back_as_it_was_set_last(lamps: Database) -> None:
    """A second value replaces the first; other options stay as they are."""
    with lamps.write() as connection:
        options.put(connection, "greeting", "Hello")
        options.put(connection, "farewell", "Bye\n")
        options.put(connection, "greeting", "Hello <%= recipient.first_name %>")

        assert options.get(connection, "greeting") == "Hello <%= recipient.first_name %>"
        assert list(options.every(connection).items()) == [
            ("farewell", "Bye\n"),
            ("greeting", "Hello <%= recipient.first_name %>"),
        ]


def test_an_option_may_be_empty(lamps: Database) -> None:
    """An empty value is a value, not a missing option."""
    with lamps.write() as connection:
        options.put(connection, "empty", "")

        assert options.get(connection, "empty") == ""


def test_an_option_that_is_gone_is_not_found(lamps: Database) -> None:
    """Nobody reads or takes away what is not there."""
    with lamps.write() as connection:
        options.put(connection, "greeting", "Hello")
        options.discard(connection, "greeting")

        with pytest.raises(NotFound, match="There is no option greeting"):
            options.get(connection, "greeting")
        with pytest.raises(NotFound, match="There is no option greeting"):
            options.discard(connection, "greeting")


@pytest.mark.parametrize("name", ["", "a b", "a-b", "é", "a'b", "n" * 101, "a\n"])
def test_a_name_is_letters_digits_and_underscores(lamps: Database, name: str) -> None:
    """Whatever could not stand between the quotes of an instruction is refused."""
    with lamps.write() as connection:
        with pytest.raises(InvalidInput, match="cannot name an option"):
            options.put(connection, name, "value")

        assert options.every(connection) == {}


def test_a_value_has_a_limit(lamps: Database) -> None:
    """The longest value is kept, one character more is refused."""
    with lamps.write() as connection:
        options.put(connection, "longest", "x" * options.VALUE_LENGTH_MAX)
        with pytest.raises(InvalidInput, match="more than 1,000,000 characters"):
            options.put(connection, "longer", "x" * (options.VALUE_LENGTH_MAX + 1))

        assert list(options.every(connection)) == ["longest"]
