"""Which release of the product this is."""

from functools import cache

__all__ = ["build"]


@cache
def build() -> str:
    """Tell the version that is installed."""
    from importlib.metadata import version  # slow to import, and a click never needs it

    return version("aftersend")
