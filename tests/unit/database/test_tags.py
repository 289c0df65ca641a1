"""Web tags that are defined, and those that pages make."""

from datetime import timedelta

import pytest

from aftersend.database import tags
from aftersend.database.engine import Database
from aftersend.database.schema import tracking_stats
from aftersend.database.tags import NewTag
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID
from aftersend.model.tag import TagSpec
from tests.support.post_office import NOW

HOME = NewTag("home", "Home page", UrlType.WEB, url="https://shop.example/", folder="Shop")


def test_a_tag_is_read_back_as_it_was_defined(lamps: Database) -> None:
    """It is found by its identifier and has the id of a tracked URL, which "Open" has not."""
    until = NOW + timedelta(days=30)
    new = NewTag("order", " Order ", UrlType.TRANSACTION, valid_until=until)
    with lamps.write() as connection:
        tags.add(connection, HOME)
        made = tags.add(connection, new)

        assert tags.get(connection, "order") == made
        assert tags.by_id(connection, made.id) == made
        with pytest.raises(NotFound, match="There is no web tag 1"):
            tags.by_id(connection, OPEN_URL_ID)
    assert made.id > 1
    assert (made.label, made.type, made.valid_until) == ("Order", UrlType.TRANSACTION, until)
    assert (made.url, made.folder) == ("", "")


def test_one_identifier_has_one_tag(lamps: Database) -> None:
    """Who defines it again is told; identifiers are told apart by case."""
    with lamps.write() as connection:
        tags.add(connection, HOME)
        tags.add(connection, NewTag("Home", "Another", UrlType.WEB))

        with pytest.raises(InvalidInput, match="a tag home already"):
            tags.add(connection, HOME)
        assert tags.count(connection) == 2


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (NewTag("", "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a b", "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a|w", "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a&b", "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a\0", "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a" * 129, "x", UrlType.WEB), "cannot be the identifier"),
        (NewTag("a", " ", UrlType.WEB), "A tag needs a label"),
        (NewTag("a", "x" * 256, UrlType.WEB), "label has more than 255 characters"),
        (NewTag("a", "x\ny", UrlType.WEB), "label has line ends"),
        (NewTag("a", "x", UrlType.WEB, url="u" * 1001), "url has more than 1,000 characters"),
        (NewTag("a", "x", UrlType.WEB, folder="f" * 101), "folder has more than 100 characters"),
        (NewTag("a", "x", UrlType.OPEN), "of type web or transaction"),
    ],
)
def test_what_no_tag_can_be_is_refused(lamps: Database, new: NewTag, sentence: str) -> None:
    """Nothing is kept of a tag that is refused."""
    with lamps.write() as connection:
        with pytest.raises(InvalidInput, match=sentence):
            tags.add(connection, new)

        assert tags.count(connection) == 0


def test_label_and_validity_change_and_the_rest_stays(lamps: Database) -> None:
    """A change says what it changes."""
    until = NOW + timedelta(days=1)
    with lamps.write() as connection:
        made = tags.add(connection, HOME)
        changed = tags.change(connection, "home", label="Start", valid_until=until)

        assert (changed.label, changed.valid_until) == ("Start", until)
        assert (changed.id, changed.url, changed.folder) == (made.id, made.url, "Shop")
        assert tags.change(connection, "home", valid_until=None).valid_until is None
        with pytest.raises(InvalidInput, match="needs a label"):
            tags.change(connection, "home", label=" ")
        with pytest.raises(NotFound, match="There is no web tag away"):
            tags.change(connection, "away", label="x")


def test_tags_are_listed_by_identifier_and_searched(lamps: Database) -> None:
    """A search looks into identifier, label and folder; signs of SQL are plain text."""
    with lamps.write() as connection:
        tags.add(connection, HOME)
        tags.add(connection, NewTag("cart", "100% yours", UrlType.WEB))
        tags.add(connection, NewTag("order", "Order", UrlType.TRANSACTION, folder="Shop"))

        assert [each.tag_id for each in tags.page(connection)] == ["cart", "home", "order"]
        assert [each.tag_id for each in tags.page(connection, search="shop")] == ["home", "order"]
        assert [each.tag_id for each in tags.page(connection, search="%")] == ["cart"]
        assert [each.tag_id for each in tags.page(connection, offset=1, limit=1)] == ["home"]
        assert tags.count(connection, search="0%") == 1


def test_pages_make_tags_that_they_give_a_type(lamps: Database) -> None:
    """The first to name it says what it is; a known tag stays as it is; plain names make none."""
    wanted = (
        TagSpec("home", UrlType.TRANSACTION, "Elsewhere"),
        TagSpec("order", UrlType.TRANSACTION, "Shop"),
        TagSpec("order", UrlType.WEB),
        TagSpec("plain"),
    )
    with lamps.write() as connection:
        home = tags.add(connection, HOME)
        first = tags.ensure(connection, wanted)
        again = tags.ensure(connection, wanted)

    assert first == again
    assert first.keys() == {"home", "order"}
    assert first["home"] == home
    order = first["order"]
    assert (order.label, order.type, order.folder) == ("order", UrlType.TRANSACTION, "Shop")


def test_pages_cannot_fill_the_database(lamps: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of tags, those of operators included, pages make no more."""
    monkeypatch.setattr(tags, "MADE_BY_PAGES_MAX", 3)
    with lamps.write() as connection:
        tags.add(connection, HOME)
        made = tags.ensure(connection, [TagSpec(f"t{n}", UrlType.WEB) for n in range(5)])

        assert made.keys() == {"t0", "t1"}
        assert tags.ensure(connection, [TagSpec("t9", UrlType.WEB)]) == {}
        assert tags.count(connection) == 3
        tags.add(connection, NewTag("mine", "Mine", UrlType.WEB))


def test_hits_of_a_tag_are_added_up_over_deliveries(lamps: Database) -> None:
    """The latest period says when it was hit last; a tag that nobody hit has none."""
    with lamps.write() as connection:
        home = tags.add(connection, HOME)
        order = tags.add(connection, NewTag("order", "Order", UrlType.TRANSACTION))
        rows = [
            {"delivery_id": delivery, "url_id": url, "start": NOW + timedelta(hours=hour)}
            | {"total_clicks": count}
            for delivery, url, hour, count in (
                (1, home.id, 0, 3),
                (2, home.id, 5, 1),
                (2, home.id, 1, 2),
                (2, OPEN_URL_ID, 9, 7),
            )
        ]
        connection.execute(tracking_stats.insert(), rows)

        assert tags.hits(connection, [home.id, order.id]) == {
            home.id: tags.Hits(6, NOW + timedelta(hours=5))
        }


def test_many_tags_are_looked_up_at_once(lamps: Database) -> None:
    """More identifiers than one statement takes values are found all the same."""
    wanted = [TagSpec(f"t{number}", UrlType.WEB) for number in range(2_500)]
    with lamps.write() as connection:
        made = tags.ensure(connection, wanted)

        assert len(made) == 2_500
        assert len(tags.by_tag_id(connection, made)) == 2_500
