"""Typed configuration: `aftersend.toml` of an instance, each value overridable by environment.

``AFTERSEND_COLLECTOR__PORT=9001`` overrides ``port`` in ``[collector]``. Unknown names are refused,
so that a misspelt setting never goes unnoticed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from aftersend.errors import InvalidSettings

__all__ = ["FILE_NAME", "Settings", "load"]

FILE_NAME = "aftersend.toml"

Port = Annotated[int, Field(ge=1, le=65535)]
BrandName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    def _is_web_address(cls, url: str | None) -> str | None:
        return _base_url(url)

    @field_validator("expiration_url")
    @classmethod
    def _is_page(cls, url: str | None) -> str | None:
        return None if url is None else _web_address(url)

    @field_validator("spare_servers")
    @classmethod
    def _are_web_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_base_url(url)) for url in urls)

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


class BrandSettings(Section):
    """Public addresses of one brand, in place of those of the instance."""

    tracking_url: str | None = Field(default=None, description="public base of links in messages")
    app_url: str | None = Field(default=None, description="public base of /m/ and /u/ links")

    @field_validator("tracking_url", "app_url")
    @classmethod
    def _is_web_address(cls, url: str | None) -> str | None:
        return _base_url(url)


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


class TrackingSettings(Section):
    """The Tracking workflow (spec §2.4, §5)."""

    schedule: str = Field(default="0 * * * *", description="cron text, UTC")
    consolidation_period_s: int = Field(
        default=300, ge=60, le=86_400, description="bucket of the statistics over time"
    )
    dedup_open_period_s: int = Field(
        default=60, ge=0, le=86_400, description="opens of a message within this are one"
    )
    log_count_per_request: int = Field(
        default=1000,
        ge=0,
        le=10_000,
        description="lines asked of a remote server at once; 0: all, as a stream",
    )
    load_lines_max: int = Field(default=500_000, ge=1_000, description="lines a commit")
    lease_s: int = Field(default=300, ge=10, description="after this a run that died is taken over")


class SmtpSettings(Section):
    """Where messages are handed over; without a host, the local sink of `aftersend up`."""

    host: str | None = Field(default=None, description="name or address of the mail server")
    port: Port = Field(default=25, description="port of the mail server")
    user: str | None = Field(default=None, description="none: no log-in")
    password: str | None = Field(default=None, description="password of the log-in")
    is_tls: bool = Field(default=False, description="TLS from the first byte, usually port 465")
    is_starttls: bool | None = Field(default=None, description="none: when the server offers it")
    connections: int = Field(default=4, ge=1, le=64, description="conversations at once")
    timeout_s: float = Field(default=60.0, gt=0, description="seconds to wait for an answer")


class WebSettings(Section):
    """Pages of the app."""

    host: str = Field(default="127.0.0.1", description="address it listens on")
    port: Port = Field(default=8080, description="port it listens on")
    external_url: str | None = Field(default=None, description="public base of /m/ and /u/ links")
    secret: str = Field(min_length=32, description="signs forms and sessions")
    session_hours: int = Field(default=12, ge=1, description="hours until a log-in ends")
    time_zone: str = Field(default="UTC", description="zone of the times on pages")

    @field_validator("external_url")
    @classmethod
    def _is_web_address(cls, url: str | None) -> str | None:
        return _base_url(url)


class DatabaseSettings(Section):
    """The control plane; without a URL, SQLite inside the instance."""

    url: str | None = Field(
        default=None, description="for example postgresql+psycopg://user:password@host/name"
    )


class LakeSettings(Section):
    """The data plane; without a URL, a folder inside the instance."""

    url: str | None = Field(default=None, description="a folder or s3://bucket/path")
    options: Mapping[str, str] = Field(
        default_factory=dict, description="storage options of the `deltalake` package"
    )


class DeliverySettings(Section):
    """Defaults of deliveries."""

    message_id_domain: str | None = Field(default=None, description="none: the sender's domain")
    proof_size_max: int = Field(default=100, ge=1, description="addresses of one proof at most")
    checks: Mapping[str, Literal["off", "info", "warning", "error"]] = Field(
        default_factory=dict, description="levels of analysis checks by rule, where not the usual"
    )


class ContentSettings(Section):
    """Preparing messages (spec §3)."""

    delimiter_pairs: tuple[Annotated[str, Field(min_length=2, max_length=2)], ...] = Field(
        default=("()", "[]", "{}"), description="brackets that end a URL in text"
    )
    script_seconds_max: float = Field(
        default=5.0, ge=0, le=300, description="time of the scripts of one message; 0: no limit"
    )
    script_memory_bytes_max: int = Field(
        default=64 * 1024 * 1024, ge=1024 * 1024, description="memory of the scripts of one message"
    )
    include_hosts: tuple[str, ...] = Field(
        default=(), description="hosts that `include url` may read from"
    )
    include_seconds_max: float = Field(
        default=10.0, gt=0, le=300, description="time to read one of them"
    )
    include_bytes_max: int = Field(
        default=1024 * 1024, ge=1, le=5_000_000, description="size of what is included at most"
    )
    include_folder: str | None = Field(
        default=None, description="folder that `include file` may read from; none: INSTANCE/include"
    )


class Settings(BaseSettings):
    """All settings of an instance; `keys` maps key ids to secrets in hex (architecture D2)."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSEND_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    _file: ClassVar[Path | None] = None

    keys: Mapping[int, str]
    collector: CollectorSettings
    web: WebSettings
    spool: SpoolSettings = SpoolSettings()
    tracking: TrackingSettings = TrackingSettings()
    smtp: SmtpSettings = SmtpSettings()
    database: DatabaseSettings = DatabaseSettings()
    lake: LakeSettings = LakeSettings()
    delivery: DeliverySettings = DeliverySettings()
    content: ContentSettings = ContentSettings()
    web_tracking: WebTrackingSettings = WebTrackingSettings()
    brands: Mapping[BrandName, BrandSettings] = Field(default_factory=dict)

    @property
    def secrets(self) -> Mapping[int, bytes]:
        """Give the keys of tracking tokens as bytes, by id."""
        return {number: bytes.fromhex(text) for number, text in self.keys.items()}

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: Mapping[int, str]) -> Mapping[int, str]:
        if not keys:
            raise ValueError("at least one key is needed")
        for key_id, secret in keys.items():
            if not 1 <= key_id <= 255 or not 32 <= len(secret) <= 128:
                raise ValueError("key ids are 1 to 255, secrets 32 to 128 hex digits")
            bytes.fromhex(secret)
        return keys

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read one file; see `load`."""
        source = TomlConfigSettingsSource(cls, toml_file=path)
        return cls(**source())


def load(instance: Path) -> Settings:
    """Read the settings of the instance in folder `instance`.

    Raises:
        InvalidSettings: there is no instance, or its file cannot be used; the sentence says what
            to change.
    """
    path = instance / FILE_NAME
    if not path.is_file():
        raise InvalidSettings(
            f"{instance} is not an instance: {FILE_NAME} is missing. Make one: aftersend init DIR"
        )
    try:
        return Settings.from_file(path)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise InvalidSettings(f"{path} cannot be used: {problems}") from error
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{path} cannot be read: {error}") from error


def _base_url(url: Any) -> str | None:
    return None if url is None else _web_address(url).rstrip("/")


def _web_address(url: Any) -> str:
    text = str(url)
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/"):
        raise ValueError("a web address begins with http:// or https:// and a host")
    return text
