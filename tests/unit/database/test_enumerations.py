"""Open enumerations grow by use."""

from aftersend.database import enumerations
from aftersend.database.engine import Database
from aftersend.database.enumerations import URL_CATEGORY
from aftersend.model.enumeration import URL_CATEGORIES


def test_built_in_values_come_first_and_new_ones_by_name(lamps: Database) -> None:
    """What is used is added once, blanks and built-in values never."""
    with lamps.write() as connection:
        enumerations.add(connection, URL_CATEGORY, ["shop", "blog", "shop", "", " ", "digg"])
        enumerations.add(connection, URL_CATEGORY, ["shop"])
        enumerations.add(connection, "other", ["x"])
        values = enumerations.values(connection, URL_CATEGORY)
        others = enumerations.values(connection, "other")

    assert [*URL_CATEGORIES, "blog", "shop"] == values
    assert ["x"] == others


def test_adding_nothing_is_nothing(lamps: Database) -> None:
    """An empty list is no error."""
    with lamps.write() as connection:
        enumerations.add(connection, URL_CATEGORY, [])
        assert [*URL_CATEGORIES] == enumerations.values(connection, URL_CATEGORY)
