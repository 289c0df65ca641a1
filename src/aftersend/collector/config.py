"""What a tracking server must be told."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftersend.errors import InvalidSettings
from aftersend.model.enumeration import WebTrackingMode
from aftersend.model.ids import ServerId
from aftersend.model.token import KeyRing
from aftersend.spool import Limits

if TYPE_CHECKING:
    from aftersend.settings import Settings

__all__ = ["CollectorConfig", "configured", "server_ids_from"]

_SERVERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_SERVER: Final = re.compile(r"[0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """One tracking server; picklable.

    `spool_directory` is this server's own folder. `server_ids` are all that share its port, itself
    first: whoever of them is asked speaks for all, and each notes how it fares in `run_directory`.
    With `fsync_interval_ms` 0, an answer leaves only when its line is on the disk; many wait for
    one sync together.

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
    instance: str = "aftersend"
    is_cookieless: bool = False
    cookie_domains: tuple[str, ...] = ()
    cookie_days: int = 365
    last_delivery_days: int = 365
    consent_days: int = 180
    is_cookie_secure: bool = False
    cookie_same_site: str = "lax"
    p3p_policy: str = ""
    is_address_stored: bool = True
    is_source_shown: bool = True
    has_legacy_links: bool = False
    accepts_unsigned: bool = False
    expiration_url: str | None = None
    spare_servers: tuple[str, ...] = ()
    resource_directory: Path | None = None
    source_hits_per_minute_max: int = 60_000
    probe_s: float = 10.0
    web_tracking_mode: WebTrackingMode = WebTrackingMode.SESSION
    is_visitor_tracked: bool = False
    parameters_length_max: int = 64
    server_ids: tuple[ServerId, ...] = ()
    run_directory: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    fsync_interval_ms: int = 1000
    catalogues_in_memory: int = 100
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse what would fail only when people click."""
        _check_server(self.server_id)
        if not self.server_ids:
            object.__setattr__(self, "server_ids", (self.server_id,))
        assert self.server_ids[0] == self.server_id, "a server names itself first"
        for domain in self.cookie_domains:
            if not _DOMAIN.fullmatch(domain):
                raise InvalidSettings(f"The cookie domain {domain!r} is not a domain.")
        if not self.password:
            raise InvalidSettings("The registration password of the tracking server is empty.")
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise InvalidSettings(
                    f"The trusted proxy {proxy!r} is neither an address nor a network."
                ) from error

    @property
    def registration_file(self) -> Path:
        """Name the file that says which application the server works for."""
        return self.catalogue_directory.with_name("registration.json")

    def spool_of(self, server_id: ServerId) -> Path:
        """Name the folder of a server that shares the port."""
        assert server_id in self.server_ids, "only those beside us are known"
        if server_id == self.server_id:
            return self.spool_directory
        return self.spool_directory.with_name(server_id)


def server_ids_from(first: ServerId, count: int) -> tuple[ServerId, ...]:
    """Name `count` servers from `first` on, in the order 0 to 9, A to Z, a to z.

    >>> server_ids_from(ServerId("8"), 4)
    ('8', '9', 'A', 'B')

    Raises:
        InvalidSettings: there are not so many letters and digits left, or it begins with neither.
    """
    _check_server(first)
    found = _SERVERS[_SERVERS.index(first) :][:count]
    if len(found) < count:
        raise InvalidSettings(
            f"From server id {first!r} on there are ids for {len(found)} workers, not for {count}:"
            " begin with a smaller one."
        )
    return tuple(ServerId(each) for each in found)


def configured(
    directory: Path,
    settings: "Settings",
    *,
    server_id: str | None = None,
    port: int | None = None,
    server_ids: tuple[ServerId, ...] = (),
) -> CollectorConfig:
    """Describe the tracking server of the instance in `directory`, or another one beside it.

    `server_ids` are those that share its port, itself among them.

    It is made here and not where everything else is wired, because a tracking server starts
    without the control plane.

    Raises:
        InvalidSettings: a setting of the collector could not work.
    """
    collector = settings.collector
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
        instance=collector.instance,
        is_cookieless=collector.is_cookieless,
        cookie_domains=_split(collector.cookie_domain or ""),
        cookie_days=collector.cookie_days,
        last_delivery_days=collector.last_delivery_days,
        consent_days=collector.consent_days,
        is_cookie_secure=collector.is_cookie_secure,
        cookie_same_site=collector.cookie_same_site,
        p3p_policy=collector.p3p_policy,
        is_address_stored=collector.is_address_stored,
        is_source_shown=collector.show_source_ip,
        has_legacy_links=collector.legacy_links,
        accepts_unsigned=collector.accept_unsigned,
        expiration_url=collector.expiration_url,
        spare_servers=collector.spare_servers,
        resource_directory=var / "res",
        source_hits_per_minute_max=collector.source_hits_per_minute_max,
        probe_s=settings.machines.probe_s,
        web_tracking_mode=WebTrackingMode(settings.web_tracking.mode),
        is_visitor_tracked=settings.web_tracking.is_visitor_tracked,
        parameters_length_max=settings.web_tracking.parameters_length_max,
        server_ids=(server, *(each for each in server_ids if each != server)),
        run_directory=var / "run",
        trusted_proxies=collector.trusted_proxies,
        fsync_interval_ms=collector.fsync_interval_ms,
        catalogues_in_memory=collector.catalogues_in_memory,
        limits=_limits(settings),
    )


def _limits(settings: "Settings") -> Limits:
    spool = settings.spool
    return Limits(
        segment_bytes_max=spool.segment_bytes_max,
        segment_seconds_max=spool.segment_seconds_max,
        keep_days=spool.keep_days,
        queue_lines_max=spool.queue_lines_max,
    )


def _check_server(server_id: str) -> None:
    if not _SERVER.fullmatch(server_id):
        raise InvalidSettings(f"The server id {server_id!r} is not one letter or digit.")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
