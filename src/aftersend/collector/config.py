"""What a tracking server must be told."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftersend.errors import InvalidSettings
from aftersend.model.ids import ServerId
from aftersend.model.token import KeyRing
from aftersend.spool import Limits

if TYPE_CHECKING:
    from aftersend.settings import Settings

__all__ = ["CollectorConfig", "configured"]

_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_SERVER: Final = re.compile(r"[0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """One tracking server; picklable.

    `spool_directory` is this server's own folder. With `fsync_interval_ms` 0, an answer leaves only
    when its line is on the disk; many wait for one sync together.

    Raises:
        InvalidSettings: a value could not work; the sentence names it.
    """

    server_id: ServerId
    catalogue_directory: Path
    spool_directory: Path
    keys: KeyRing = field(repr=False)
    password: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8081
    cookie_domain: str | None = None
    cookie_days: int = 365
    is_cookie_secure: bool = False
    is_address_stored: bool = True
    trusted_proxies: tuple[str, ...] = ()
    fsync_interval_ms: int = 1000
    catalogues_in_memory: int = 100
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse what would fail only when people click."""
        if not _SERVER.fullmatch(self.server_id):
            raise InvalidSettings(f"The server id {self.server_id!r} is not one letter or digit.")
        if self.cookie_domain is not None and not _DOMAIN.fullmatch(self.cookie_domain):
            raise InvalidSettings(f"The cookie domain {self.cookie_domain!r} is not a domain.")
        if not self.password:
            raise InvalidSettings("The registration password of the tracking server is empty.")
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise InvalidSettings(
                    f"The trusted proxy {proxy!r} is neither an address nor a network."
                ) from error


def configured(
    directory: Path,
    settings: "Settings",
    *,
    server_id: str | None = None,
    port: int | None = None,
) -> CollectorConfig:
    """Describe the tracking server of the instance in `directory`, or another one beside it.

    It is made here and not where everything else is wired, because a tracking server starts
    without the control plane.

    Raises:
        InvalidSettings: a setting of the collector could not work.
    """
    collector, spool = settings.collector, settings.spool
    server = ServerId(server_id or collector.server_id)
    var = directory.absolute() / "var"
    return CollectorConfig(
        server_id=server,
        catalogue_directory=var / "catalogue",
        spool_directory=var / "spool" / server,
        keys=KeyRing(settings.secrets),
        password=collector.password,
        host=collector.host,
        port=port or collector.port,
        cookie_domain=collector.cookie_domain,
        cookie_days=collector.cookie_days,
        is_cookie_secure=collector.is_cookie_secure,
        is_address_stored=collector.is_address_stored,
        trusted_proxies=collector.trusted_proxies,
        fsync_interval_ms=collector.fsync_interval_ms,
        catalogues_in_memory=collector.catalogues_in_memory,
        limits=Limits(
            segment_bytes_max=spool.segment_bytes_max,
            segment_seconds_max=spool.segment_seconds_max,
            keep_days=spool.keep_days,
            queue_lines_max=spool.queue_lines_max,
        ),
    )
