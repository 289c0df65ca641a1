"""What a mail server's refusal means for an address.

The enhanced status code (RFC 3463), where there is one, decides before the plain code (RFC 5321
§4.2.3). A 4xx answer is always soft; for 5xx the tables say how lasting it is, because "mailbox
full" passes and a message that is refused for what it says is no fault of the address.
Source: spec §1.6, §8.2; the IANA registry of enhanced status codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aftersend.model.enumeration import FailureReason, FailureType

__all__ = ["TEXT_LENGTH_MAX", "Failure", "read_refusal"]

TEXT_LENGTH_MAX: Final = 1000

_HARD: Final = FailureType.HARD
_SOFT: Final = FailureType.SOFT
_Meaning = tuple[FailureReason, FailureType]

# Subject and detail, or a subject alone for the details that are not named.
_BY_STATUS: Final[Mapping[str, _Meaning]] = {
    "1": (FailureReason.USER_UNKNOWN, _HARD),
    "1.2": (FailureReason.INVALID_DOMAIN, _SOFT),
    "1.7": (FailureReason.REFUSED, _SOFT),  # the sender's address, not the recipient's
    "1.8": (FailureReason.REFUSED, _SOFT),
    "1.10": (FailureReason.INVALID_DOMAIN, _SOFT),
    "2": (FailureReason.ACCOUNT_DISABLED, _SOFT),
    "2.1": (FailureReason.ACCOUNT_DISABLED, _HARD),
    "2.2": (FailureReason.MAILBOX_FULL, _SOFT),
    "2.3": (FailureReason.REFUSED, _SOFT),
    "3": (FailureReason.UNREACHABLE, _SOFT),
    "3.4": (FailureReason.REFUSED, _SOFT),
    "4": (FailureReason.UNREACHABLE, _SOFT),
    "4.4": (FailureReason.INVALID_DOMAIN, _SOFT),
    "5": (FailureReason.REFUSED, _SOFT),
    "6": (FailureReason.REFUSED, _SOFT),
    "7": (FailureReason.REFUSED, _SOFT),
}
_BY_CODE: Final[Mapping[int, _Meaning]] = {
    421: (FailureReason.UNREACHABLE, _SOFT),
    450: (FailureReason.UNREACHABLE, _SOFT),
    451: (FailureReason.UNREACHABLE, _SOFT),
    452: (FailureReason.UNREACHABLE, _SOFT),
    550: (FailureReason.USER_UNKNOWN, _HARD),
    551: (FailureReason.USER_UNKNOWN, _HARD),
    552: (FailureReason.MAILBOX_FULL, _SOFT),
    553: (FailureReason.USER_UNKNOWN, _HARD),
}
_OTHERWISE: Final = (FailureReason.REFUSED, _SOFT)
_STATUS: Final = re.compile(r"[245]\.(\d{1,3})\.(\d{1,3})\b")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message was not taken, in our words and in the server's."""

    reason: FailureReason
    type: FailureType
    text: str


def read_refusal(code: int, text: str) -> Failure:
    """Understand an answer that is no acceptance; `text` is what follows the code."""
    status = _STATUS.match(text)
    if status is not None and (meaning := _by_status(status)) is not None:
        reason, kind = meaning
    else:
        reason, kind = _BY_CODE.get(code, _OTHERWISE)
    if code < 500:
        kind = FailureType.SOFT
    return Failure(reason, kind, f"{code} {text}"[:TEXT_LENGTH_MAX])


def _by_status(status: re.Match[str]) -> _Meaning | None:
    return _BY_STATUS.get(f"{status[1]}.{status[2]}") or _BY_STATUS.get(status[1])
