"""What pages call a web tag: ``<id>``, or ``<id>|<w or t>[|<folder>]`` to make it at first need.

``w`` is a page that people see, ``t`` a transaction. The same text stands in the address of a tag,
in the parameters of a log line, and is read by this one module.
Source: spec §4.2, §4.5.
"""

import re
from dataclasses import dataclass
from typing import Final

from aftersend.model.enumeration import UrlType

__all__ = ["FOLDER_LENGTH_MAX", "TAG_ID_LENGTH_MAX", "TAG_TYPES", "TagSpec", "is_tag_id", "parse"]

TAG_ID_LENGTH_MAX: Final = 128
FOLDER_LENGTH_MAX: Final = 100
TAG_TYPES: Final = {"w": UrlType.WEB, "t": UrlType.TRANSACTION}
_TAG_ID: Final = re.compile(r"[^\s|&]+")
# Three parts at their longest and the two bars between them.
_LENGTH_MAX: Final = TAG_ID_LENGTH_MAX + 1 + 1 + 1 + FOLDER_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class TagSpec:
    """A tag as a page names it; with a type it may be made on the fly."""

    tag_id: str
    type: UrlType | None = None
    folder: str = ""


def parse(text: str) -> TagSpec | None:
    """Read what a page calls a tag; None when no tag can be called so.

    >>> parse("order|t|Shop")
    TagSpec(tag_id='order', type=<UrlType.TRANSACTION: 5>, folder='Shop')
    """
    if len(text) > _LENGTH_MAX or not text.isprintable():
        return None
    tag_id, *rest = text.split("|")
    if not is_tag_id(tag_id) or len(rest) > 2:
        return None
    if not rest:
        return TagSpec(tag_id)
    kind, folder = TAG_TYPES.get(rest[0].lower()), rest[1].strip() if len(rest) == 2 else ""
    if kind is None or len(folder) > FOLDER_LENGTH_MAX:
        return None
    return TagSpec(tag_id, kind, folder)


def is_tag_id(text: str) -> bool:
    """Tell whether a tag can have this identifier.

    Limits: 1 to 128 printable characters, without spaces, ``|`` and ``&``.
    """
    is_short = 0 < len(text) <= TAG_ID_LENGTH_MAX
    return is_short and text.isprintable() and _TAG_ID.fullmatch(text) is not None
