"""What the technical workflows of an instance stand on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aftersend.database.engine import Database
from aftersend.platform.clock import Clock
from aftersend.settings import Settings

if TYPE_CHECKING:
    from aftersend.delivery.mail_server import MailServer
    from aftersend.delivery.office import PostOffice
    from aftersend.delivery.registration import Registry
    from aftersend.lake.table import Lake

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An instance as its workflows see it; what takes long to open is opened by who needs it.

    `var` is the folder of everything that changes, `app_url` the public base of the pages, and
    `instance` the name that messages to the supervisors call it by.
    """

    settings: Settings
    database: Database
    clock: Clock
    var: Path
    app_url: str
    instance: str
    lake: "Callable[[], Lake]"
    office: "Callable[[], PostOffice]"
    registry: "Callable[[], Registry]"
    mail_server: "Callable[[], MailServer]"
