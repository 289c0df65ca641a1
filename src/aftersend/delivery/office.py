"""What preparing, publishing and sending a delivery stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aftersend.content import Addresses
from aftersend.database.engine import Database
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock
from aftersend.settings import ContentSettings

__all__ = ["PostOffice"]


@dataclass(frozen=True, slots=True)
class PostOffice:
    """The instance as seen from a delivery.

    `catalogue` is the folder of catalogue files, `sending` that of sends under way; `password` is
    what tracking servers ask for. `message_id_domain` None means the sender's. `checks` are levels
    of analysis checks by rule; contents may include files of the folder `include`, None: of none.
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
