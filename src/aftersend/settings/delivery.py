"""Settings of deliveries, their content, mail servers, pages and stores."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from aftersend.settings.section import Port, Section, base_url

__all__ = ["BrandSettings", "ContentSettings", "DatabaseSettings", "DeliverySettings"]
__all__ += ["LakeSettings", "SmtpSettings", "WebSettings"]


class BrandSettings(Section):
    """Public addresses of one brand, in place of those of the instance."""

    tracking_url: str | None = Field(default=None, description="public base of links in messages")
    app_url: str | None = Field(default=None, description="public base of /m/ and /u/ links")

    @field_validator("tracking_url", "app_url")
    @classmethod
    def _isweb_address(cls, url: str | None) -> str | None:
        return base_url(url)


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
    def _isweb_address(cls, url: str | None) -> str | None:
        return base_url(url)


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
    has_honeypot: bool = Field(
        default=False, description="hide a link in HTML that only machines follow"
    )
