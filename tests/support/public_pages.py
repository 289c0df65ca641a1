"""The tokens that open public pages of a seeded delivery, and its rows to change."""

from typing import Any

from aftersend.database import schema
from aftersend.model.enumeration import Part
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token, encode
from aftersend.web.services import Services
from tests.support.page_seed import Seeded
from tests.support.pages import KEYS

FORGED = KeyRing({1: b"f" * 16})
"""Keys that are not those of the instance."""


def token_of(seeded: Seeded, *, keys: KeyRing = KEYS, url: int = 0, message: int = -1) -> str:
    """Spell a token of the first message, or of another `message` by its id."""
    number = seeded.messages[0] if message < 0 else message
    return encode(
        Token(Part.HTML, DeliveryId(seeded.delivery), MessageId(number), UrlId(url)), keys=keys
    )


def change(services: Services, table: str, **values: Any) -> None:
    """Set columns in all rows of a table."""
    with services.database.write() as connection:
        connection.execute(schema.metadata.tables[table].update().values(values))


def add_link(services: Services, seeded: Seeded, source: str) -> int:
    """Add a tracked URL to the list of a delivery."""
    row = {
        "delivery_id": seeded.delivery,
        "type": 1,
        "mode": "enabled",
        "part": "h",
        "label": source[:20],
        "source": source,
    }
    with services.database.write() as connection:
        key = connection.execute(schema.tracked_url.insert().values(row)).inserted_primary_key
        assert key is not None, "the column counts up"
    return int(key[0])
