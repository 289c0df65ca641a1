"""Enumerations: a code never changes its meaning, because databases and lakes hold it."""

from enum import IntEnum

import pytest

from aftersend.model import enumeration
from aftersend.model.enumeration import (
    MirrorMode,
    Part,
    PixelPlace,
    TrackingMode,
    Verdict,
    WebTrackingMode,
)

CODES: dict[str, dict[str, int]] = {
    "UrlType": {
        "EMAIL_CLICK": 1, "OPEN": 2, "OPT_OUT": 3, "WEB": 4, "TRANSACTION": 5, "MIRROR_PAGE": 6,
        "HONEYPOT": 90,
    },
    "DeliveryState": {
        "BEING_EDITED": 0, "FAILED": 13, "TARGET_READY": 45, "START_PENDING": 51,
        "IN_PROGRESS": 55, "RECOVERY_PENDING": 61, "RECOVERY_IN_PROGRESS": 62,
        "PAUSE_REQUESTED": 71, "PAUSE_IN_PROGRESS": 72, "PAUSED": 75, "STOPPED": 85,
        "FINISHED": 95, "DELETED": 100,
    },
    "DeliveryKind": {"MAIN": 0, "PROOF": 1, "TRACKING_TEST": 2, "WEB_VISITS": 3},
    "DeliveryMode": {"MASS_DELIVERY": 1, "MID_SOURCING": 4},
    "MessageStatus": {
        "NOT_APPLICABLE": -1, "IGNORED": 0, "SENT": 1, "FAILED": 2, "TAKEN_INTO_ACCOUNT": 3,
        "RECEIVED_ON_MOBILE": 4, "PENDING": 6, "CANCELED": 7, "PREPARED": 8, "SENT_TO_PROVIDER": 9,
    },
    "FailureType": {"NOT_DEFINED": 0, "SOFT": 1, "HARD": 2, "IGNORED": 3},
    "FailureReason": {
        "NOT_DEFINED": 0, "USER_UNKNOWN": 1, "INVALID_DOMAIN": 2, "UNREACHABLE": 3,
        "ACCOUNT_DISABLED": 4, "MAILBOX_FULL": 5, "NOT_CONNECTED": 6, "ADDRESS_NOT_SPECIFIED": 7,
        "DENYLISTED": 8, "QUARANTINE": 9, "DOUBLE": 10, "SQL_RULE": 11, "ARBITRATION": 12,
        "BAD_QUALITY": 14, "UNQUALIFIED": 15, "NOT_ELIGIBLE": 16, "TARGET_LIMITED": 17,
        "REFUSED": 20, "ERROR_IGNORED": 25, "CONTROL_ADDRESS": 127,
    },
    "EmailFormat": {"UNDEFINED": 0, "TEXT": 1, "HTML": 2},
    "QuarantineStatus": {
        "UNKNOWN": 0, "WITH_ERRORS": 1, "VALID": 2, "DENYLISTED": 3, "QUARANTINE": 4,
        "ALLOWLISTED": 5,
    },
    "WorkflowState": {
        "BEING_EDITED": 0, "START_AS_SOON_AS_POSSIBLE": 2, "START_IN_PROGRESS": 5, "STARTED": 11,
        "PAUSE_REQUESTED": 12, "PAUSED": 13, "RESUME_REQUESTED": 14, "FINISHED": 20,
    },
    "Severity": {"INFO": 0, "WARNING": 1, "ERROR": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_pinned(name: str) -> None:
    """Each member has the code that is written down here, and no member is missing here."""
    members = getattr(enumeration, name).__members__

    assert {key: int(member) for key, member in members.items()} == CODES[name]


@pytest.mark.parametrize("name", CODES)
def test_every_member_has_a_label_and_a_slug(name: str) -> None:
    """People read labels, JSON carries slugs; both are unique within an enumeration."""
    members = list(getattr(enumeration, name))

    assert all(member.label for member in members)
    assert len({member.label for member in members}) == len(members)
    assert [member.slug for member in members] == [member.name.lower() for member in members]


def test_no_enumeration_is_left_out_here() -> None:
    """A new enumeration with codes is pinned before it is used."""
    named = (getattr(enumeration, name) for name in enumeration.__all__)
    numbered = {
        item.__name__ for item in named if isinstance(item, type) and issubclass(item, IntEnum)
    }

    assert numbered == set(CODES)


def test_what_deliveries_choose_keeps_its_texts() -> None:
    """Commands and databases spell them as they always did."""
    assert {mode.value for mode in MirrorMode} == {"if-linked", "force", "none", "by-message"}
    assert {place.value for place in PixelPlace} == {"bottom", "top", "placeholder"}


def test_modes_keep_their_texts_and_codes() -> None:
    """Commands and databases spell the modes of links as they always did."""
    assert {mode.value: (mode.code, mode.label, mode.is_tracked) for mode in TrackingMode} == {
        "enabled": (0, "Enabled", True),
        "not-tracked": (1, "Not tracked", False),
        "always": (2, "Always enabled", True),
        "never": (3, "Never tracked", False),
        "opt-out": (4, "Opt-out", True),
        "mirror": (5, "Mirror page", True),
    }


def test_parts_keep_their_letters_and_codes() -> None:
    """A letter stands in log lines, a code in tokens."""
    assert {part.value: part.code for part in Part} == {
        "h": 1, "t": 2, "s": 3, "a": 4, "i": 5, "l": 6,
    }  # fmt: skip


def test_verdicts_keep_their_texts() -> None:
    """Reports, the API and pages name verdicts by these words."""
    assert [verdict.value for verdict in Verdict] == ["human", "suspect", "machine", "repeat"]


def test_modes_of_web_tracking_are_nested() -> None:
    """Anonymous keeps what permanent keeps, and that what session keeps (spec §4.6)."""
    flags = {
        mode.value: (mode.is_permanent, mode.is_anonymous, mode.is_last_delivery)
        for mode in WebTrackingMode
    }

    assert flags == {
        "session": (False, False, False),
        "permanent-forced": (True, False, False),
        "permanent-last": (True, False, True),
        "anonymous-forced": (True, True, False),
        "anonymous-last": (True, True, True),
    }
