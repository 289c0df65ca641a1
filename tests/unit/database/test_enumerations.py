"""Open enumerations grow by use."""

from datetime import UTC, datetime

import pytest

from aftersend.database import enumerations
from aftersend.database.engine import Database
from aftersend.database.enumerations import DOMAIN, URL_CATEGORY, Alias
from aftersend.errors import InvalidInput
from aftersend.model.domain import DOMAINS, OTHERS, Domains
from aftersend.model.enumeration import URL_CATEGORIES

AT = datetime(2026, 1, 2, tzinfo=UTC)


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


def test_aliases_of_an_instance_stand_before_built_in_ones(lamps: Database) -> None:
    """New, changed and sent to Others, whatever their case; forgotten, they are as built in."""
    with lamps.write() as connection:
        enumerations.add(connection, DOMAIN, ["Shop"])
        for alias, value in ((" Shop.Example ", "Shop"), ("gmail.com", "Shop"), ("aol.de", OTHERS)):
            enumerations.set_alias(connection, DOMAIN, alias, value, at=AT)
        changed = enumerations.domains(connection)
        listed = {one.alias: one for one in enumerations.aliases(connection, DOMAIN)}
        enumerations.discard_alias(connection, DOMAIN, "GMAIL.com")
        again = enumerations.domains(connection)

    names = [changed.name_of(name) for name in ("SHOP.example", "gmail.com", "aol.de", "aol.com")]
    assert ["Shop", "Shop", "Others", "AOL"] == names
    assert (*DOMAINS, "Shop") == changed.names
    assert ["gmail.com", "shop.example"] == changed.of("Shop")
    assert "Gmail" == again.name_of("gmail.com")
    assert len({Domains().edition, changed.edition, again.edition}) == 3
    assert (Alias("aol.de", OTHERS, AT), Alias("aol.fr", "AOL")) == (
        listed["aol.de"],
        listed["aol.fr"],
    )


def test_a_value_leaves_with_its_aliases(lamps: Database) -> None:
    """What was gathered under it is gathered as before."""
    with lamps.write() as connection:
        enumerations.add(connection, DOMAIN, ["Shop"])
        enumerations.set_alias(connection, DOMAIN, "gmail.com", "Shop", at=AT)
        enumerations.remove(connection, DOMAIN, "Shop")

        assert Domains() == enumerations.domains(connection)


def test_what_cannot_be_says_why(lamps: Database) -> None:
    """Unknown values and aliases, built-in values, empty texts, and the rest as a value."""
    with lamps.write() as connection:
        for text, deed in (
            ("There is no value X.", lambda c: enumerations.set_alias(c, DOMAIN, "a", "X", at=AT)),
            ("An alias has 1", lambda c: enumerations.set_alias(c, DOMAIN, " ", "AOL", at=AT)),
            (
                "urlCategory has no",
                lambda c: enumerations.set_alias(c, URL_CATEGORY, "a", "digg", at=AT),
            ),
            (
                "There is no alias aol.de.",
                lambda c: enumerations.discard_alias(c, DOMAIN, "aol.de"),
            ),
            ("AOL is built in", lambda c: enumerations.remove(c, DOMAIN, "AOL")),
            ("There is no value X.", lambda c: enumerations.remove(c, DOMAIN, "X")),
            ("Others is what no", lambda _: enumerations.check_value(DOMAIN, " Others ")),
            ("A value has 1", lambda _: enumerations.check_value(DOMAIN, " ")),
        ):
            with pytest.raises(InvalidInput, match=text):
                deed(connection)
