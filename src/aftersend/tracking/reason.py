"""Why a line that follows the format is not loaded."""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["CODES", "DAMAGED", "MISNUMBERED", "ORDINARY", "Reason", "mark"]


class Reason(StrEnum):
    """Why a line that follows the format is rejected; the first that fits, in this order."""

    SERVER = "server"
    """It names another tracking server than the one it came from."""
    RANGE = "range"
    """Its number cannot stand where it stood: a damaged log id."""
    DUPLICATE = "duplicate"
    """A line before it has the same number: a damaged log id."""
    UNRESOLVED = "unresolved"
    """There is no such message yet, or it is one of another delivery: the line waits for it."""
    UNKNOWN_MESSAGE = "unknown_message"
    """There has been no such message for so long that the line waits no more."""
    UNKNOWN_URL = "unknown_url"
    """There is no such link, or it is one of another delivery."""
    UNKNOWN_TAG = "unknown_tag"
    """There is no such web tag, and the page does not say of what type it is to be."""
    EXPIRED_TAG = "expired_tag"
    """The web tag counted no more when the page was seen."""
    INCOMPLETE_VISIT = "incomplete_visit"
    """The web visit tells less of who it was than the mode of web tracking asks for."""
    UNKNOWN_VISITOR = "unknown_visitor"
    """Nobody whom we know used this browser before the web visit."""


ORDINARY: Final = frozenset((Reason.INCOMPLETE_VISIT, Reason.UNKNOWN_VISITOR))
"""What happens on any site with web tags, and is nothing to warn of."""

DAMAGED: Final = frozenset(
    (
        *("length", "fields", "shape", "number", "time"),
        *(Reason.SERVER, Reason.RANGE, Reason.DUPLICATE),
    )
)
"""What only damage does to lines of a tracking server; nobody outside can bring it about.

The first five are those of lines that do not follow the format."""

MISNUMBERED: Final = frozenset((Reason.SERVER, Reason.RANGE, Reason.DUPLICATE))
"""What is wrong with the log id itself, so that only a repaired line can be loaded."""

CODES: Final = ("", *Reason)
"""What codes of lines stand for; 0 is no reason."""


def mark(codes: npt.NDArray[np.int8], reason: Reason, has: npt.NDArray[np.bool_]) -> None:
    """Give lines that have a reason its code, unless they have one already."""
    codes[(codes == 0) & has] = CODES.index(reason)
