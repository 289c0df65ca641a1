"""What preparing, publishing and sending a delivery stand on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aftersend.content import Addresses
from aftersend.database.deliveries import Delivery
from aftersend.database.engine import Database
from aftersend.errors import InvalidContent
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock
from aftersend.settings import ContentSettings

__all__ = ["PostOffice", "unknown_brand"]


def unknown_brand(name: str, known: Iterable[str]) -> str:
    """Say that there is no such brand, and which there are."""
    names = ", ".join(known)
    there_are = f"The brands are: {names}." if names else "There are none yet."
    return f"There is no brand {name!r}. {there_are} Brands are sections [brands.NAME] of the file."


@dataclass(frozen=True, slots=True)
class PostOffice:
    """The instance as seen from a delivery.

    `catalogue` is the folder of catalogue files, `sending` that of sends under way; `password` is
    what tracking servers ask for. `message_id_domain` None means the sender's. `checks` are levels
    of analysis checks by rule; contents may include files of the folder `include`, None: of none.
    `brands` are public addresses that deliveries may use in place of `addresses`, by name.
    """

    database: Database
    clock: Clock
    keys: KeyRing
    addresses: Addresses
    catalogue: Path
    sending: Path
    password: str
    message_id_domain: str | None = None
    content: ContentSettings = field(default_factory=ContentSettings)
    checks: Mapping[str, str] = field(default_factory=dict)
    proof_size_max: int = 100
    include: Path | None = None
    brands: Mapping[str, Addresses] = field(default_factory=dict)

    def addresses_of(self, delivery: Delivery) -> Addresses:
        """Give the public addresses that a delivery is written with: those of its brand.

        Pages of a delivery that has ended go on when its brand is gone, at the usual address.

        Raises:
            InvalidContent: it is still to be sent, and its brand is not in the settings.
        """
        if not delivery.brand:
            return self.addresses
        if delivery.brand in self.brands:
            return self.brands[delivery.brand]
        if delivery.ended_at is not None:
            return self.addresses
        raise InvalidContent(unknown_brand(delivery.brand, self.brands))
