"""Custom blocks of the instance."""

from datetime import timedelta

import pytest

from aftersend.database import blocks
from aftersend.database.blocks import Block
from aftersend.database.engine import Database
from aftersend.errors import InvalidInput, NotFound
from tests.support.post_office import NOW


def test_a_block_is_read_back_as_it_was_set_last(lamps: Database) -> None:
    """Both parts and the time are replaced; blocks are listed by name."""
    later = NOW + timedelta(hours=1)
    with lamps.write() as connection:
        blocks.put(connection, "footer", html="<p>1</p>", text="1", at=NOW)
        blocks.put(connection, "Address", html="<p>Pier 3</p>", text="", at=NOW)
        blocks.put(connection, "footer", html="", text="2\n", at=later)

        assert blocks.get(connection, "footer") == Block("footer", "", "2\n", later)
        assert [each.name for each in blocks.every(connection)] == ["Address", "footer"]


def test_a_block_that_is_gone_is_not_found(lamps: Database) -> None:
    """Nobody reads or takes away what is not there."""
    with lamps.write() as connection:
        blocks.put(connection, "footer", html="<p>1</p>", text="1", at=NOW)
        blocks.discard(connection, "footer")

        with pytest.raises(NotFound, match="There is no block footer"):
            blocks.get(connection, "footer")
        with pytest.raises(NotFound, match="There is no block footer"):
            blocks.discard(connection, "footer")


@pytest.mark.parametrize(
    ("name", "html", "text", "sentence"),
    [
        ("", "x", "", "cannot name a block"),
        ("two words", "x", "", "cannot name a block"),
        ("n" * 101, "x", "", "cannot name a block"),
        ("footer", " \n", "", "The block is empty"),
        ("footer", "x" * 1_000_001, "", "at most 1,000,000 characters"),
        ("footer", "", "x" * 1_000_001, "at most 1,000,000 characters"),
    ],
)
def test_what_no_block_can_be_is_refused(
    lamps: Database, name: str, html: str, text: str, sentence: str
) -> None:
    """Nothing is kept of a block that is refused."""
    with lamps.write() as connection:
        with pytest.raises(InvalidInput, match=sentence):
            blocks.put(connection, name, html=html, text=text, at=NOW)

        assert blocks.every(connection) == []
