"""What all tables of the settings share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Port", "Section", "base_url", "web_address"]

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def base_url(url: Any) -> str | None:
    """Refuse what is no web address; none stays none, and a slash at the end goes."""
    return None if url is None else web_address(url).rstrip("/")


def web_address(url: Any) -> str:
    """Refuse what is no web address.

    Raises:
        ValueError: it has another scheme, or no host.
    """
    text = str(url)
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/"):
        raise ValueError("a web address begins with http:// or https:// and a host")
    return text
