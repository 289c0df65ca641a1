"""Bodies of HTTP requests."""

from collections.abc import Mapping

__all__ = ["has_body"]


def has_body(headers: Mapping[str, str]) -> bool:
    """Tell whether a request announces a body, by headers with names in lower case.

    Source: RFC 9112 §6.3.
    """
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
