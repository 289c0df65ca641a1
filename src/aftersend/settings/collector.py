"""Settings of the tracking servers, their spools and web tracking."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from aftersend.settings.section import Port, Section, base_url, web_address

__all__ = ["CollectorSettings", "SpoolSettings", "WebTrackingSettings"]


class CollectorSettings(Section):
    """The tracking server (spec §2.2, §2.4)."""

    host: str = Field(default="127.0.0.1", description="address it listens on")
    port: Port = Field(default=8081, description="port it listens on")
    server_id: str = Field(
        default="1",
        pattern=r"^[0-9A-Za-z]$",
        description="one letter or digit: its log ids begin so",
    )
    external_url: str | None = Field(default=None, description="public base of links in messages")
    password: str = Field(min_length=12, description="registration password")
    fsync_interval_ms: int = Field(
        default=1000, ge=0, le=60_000, description="longest time until lines are on the disk"
    )
    instance: str = Field(
        default="aftersend",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="name of the registration, the same on all tracking servers of an instance",
    )
    workers: int = Field(
        default=1, ge=1, le=62, description="processes; each takes the next server id"
    )
    is_cookieless: bool = Field(default=False, description="no cookies at all")
    cookie_domain: str | None = Field(
        default=None,
        description="domains, separated by commas: the first that the host asked for belongs to;"
        " none: that host alone",
    )
    cookie_days: int = Field(default=365, ge=1, le=400, description="life of uuid230")
    last_delivery_days: int = Field(
        default=365, ge=1, le=400, description="life of nllastdelid, the delivery of the last click"
    )
    consent_days: int = Field(
        default=180, ge=1, le=400, description="life of acoptout, the choice of a consent banner"
    )
    is_cookie_secure: bool = Field(default=False, description="cookies over HTTPS alone")
    cookie_same_site: Literal["lax", "none"] = Field(
        default="lax",
        description="none: cookies also come with web tags of other sites; needs HTTPS",
    )
    p3p_policy: str = Field(
        default="",
        pattern=r"^[A-Za-z ]*$",
        max_length=200,
        description="compact policy beside cookies, for browsers of before 2016; empty: none",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="addresses or networks whose word on client addresses counts"
    )
    is_address_stored: bool = Field(default=True, description="client addresses are in the lines")
    show_source_ip: bool = Field(default=True, description="/r/test tells the address of who asks")
    legacy_links: bool = Field(
        default=False, description="links of the older shape, /r/?id=…, are understood"
    )
    accept_unsigned: bool = Field(
        default=False, description="links of the older shape count; else they are unverified"
    )
    expiration_url: str | None = Field(
        default=None, description="where expired links without a substitution lead; none: a page"
    )
    spare_servers: tuple[str, ...] = Field(
        default=(), description="internal addresses of servers asked for what is missing here"
    )
    source_hits_per_minute_max: int = Field(
        default=60_000,
        ge=0,
        description="hits of one address that are recorded in a minute; 0: no limit",
    )
    catalogues_in_memory: int = Field(
        default=100, ge=50, le=100_000, description="deliveries whose links are kept in memory"
    )

    @field_validator("external_url")
    @classmethod
    def _isweb_address(cls, url: str | None) -> str | None:
        return base_url(url)

    @field_validator("expiration_url")
    @classmethod
    def _is_page(cls, url: str | None) -> str | None:
        return None if url is None else web_address(url)

    @field_validator("spare_servers")
    @classmethod
    def _are_web_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(base_url(url)) for url in urls)

    @model_validator(mode="after")
    def _can_cookies_be_sent(self) -> Self:
        if self.cookie_same_site == "none" and not self.is_cookie_secure:
            raise ValueError("cookie_same_site none works with is_cookie_secure = true alone")
        return self


class WebTrackingSettings(Section):
    """Visits of web pages and transactions, told by web tags (spec §4.5, §4.6)."""

    mode: Literal[
        "session", "permanent-forced", "permanent-last", "anonymous-forced", "anonymous-last"
    ] = Field(default="session", description="which visits are kept, and whose they are")
    delivery: str = Field(
        default="webVisits",
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="internal name of the delivery that visits without a message are put to",
    )
    is_visitor_tracked: bool = Field(
        default=False, description="visitors who never clicked get the permanent cookie"
    )
    parameters_length_max: int = Field(
        default=64, ge=0, le=4096, description="characters of names and values of own parameters"
    )
    recipient_fields: tuple[str, ...] = Field(
        default=("email",), description="fields that rcpid may name a recipient by"
    )


class SpoolSettings(Section):
    """The tracking server's log files."""

    segment_bytes_max: int = Field(
        default=16 * 1024 * 1024, ge=4096, description="size at which a new file is begun"
    )
    segment_seconds_max: int = Field(
        default=3600, ge=1, description="age at which a new file is begun"
    )
    keep_days: int = Field(
        default=30, ge=1, description="files that nobody collected are removed after this, loudly"
    )
    queue_lines_max: int = Field(
        default=100_000, ge=0, description="lines kept in memory while the disk is full"
    )
