"""Every enumeration of the field, with its codes.

Invariants: a code never changes its meaning and is never used again, because databases and lakes
hold it. `label` is the text people read, `slug` the name in JSON and in sums by reason.

Where the documentation gives no code ("ND" in the spec) the choice is ours and marked `ours`.
Source: spec §1.3 to §1.8, §3.5, §3.7.
"""

from enum import IntEnum, StrEnum
from typing import Final, Self

__all__ = [
    "URL_CATEGORIES",
    "DeliveryKind",
    "DeliveryMode",
    "DeliveryState",
    "EmailFormat",
    "FailureReason",
    "FailureType",
    "MessageStatus",
    "MirrorMode",
    "Part",
    "PixelPlace",
    "QuarantineStatus",
    "Severity",
    "TrackingMode",
    "UrlType",
    "Verdict",
    "WebTrackingMode",
    "WorkflowState",
]


class _Labelled(IntEnum):
    """A code with the label of the documentation."""

    label: str

    def __new__(cls, code: int, label: str = "") -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.label = label
        return member

    @property
    def slug(self) -> str:
        """Spell the member for JSON: ``user_unknown``."""
        return self.name.lower()


class UrlType(_Labelled):
    """What a tracked URL counts (spec §1.7); 90 is ours."""

    EMAIL_CLICK = 1, "Email click"
    OPEN = 2, "Open"
    OPT_OUT = 3, "Opt-out"
    WEB = 4, "Web"
    TRANSACTION = 5, "Transaction"
    MIRROR_PAGE = 6, "Mirror page"
    HONEYPOT = 90, "Honeypot"


class DeliveryState(_Labelled):
    """Where a delivery stands (spec §1.3); 45 and 13 are ours."""

    BEING_EDITED = 0, "Being edited"
    FAILED = 13, "Failed"
    TARGET_READY = 45, "Target ready"
    START_PENDING = 51, "Start pending"
    IN_PROGRESS = 55, "In progress"
    RECOVERY_PENDING = 61, "Recovery pending"
    RECOVERY_IN_PROGRESS = 62, "Recovery in progress"
    PAUSE_REQUESTED = 71, "Pause requested"
    PAUSE_IN_PROGRESS = 72, "Pause in progress"
    PAUSED = 75, "Paused"
    STOPPED = 85, "Stopped"
    FINISHED = 95, "Finished"
    DELETED = 100, "Deleted"


class DeliveryKind(_Labelled):
    """What a delivery is for (spec §3.14, §6.5); the codes are ours."""

    MAIN = 0, "Delivery"
    PROOF = 1, "Proof"
    TRACKING_TEST = 2, "Tracking test"
    WEB_VISITS = 3, "Web visits"


class DeliveryMode(_Labelled):
    """Who sends a delivery (spec §1.3)."""

    MASS_DELIVERY = 1, "Mass delivery"
    MID_SOURCING = 4, "Mid-sourcing"


class MessageStatus(_Labelled):
    """Where a message stands (spec §1.5); all but 2, 6 and 7 are ours, as the spec suggests."""

    NOT_APPLICABLE = -1, "Not applicable"
    IGNORED = 0, "Ignored"
    SENT = 1, "Sent"
    FAILED = 2, "Failed"
    TAKEN_INTO_ACCOUNT = 3, "Taken into account by the service provider"
    RECEIVED_ON_MOBILE = 4, "Received on mobile"
    PENDING = 6, "Pending"
    CANCELED = 7, "Delivery canceled"
    PREPARED = 8, "Prepared"
    SENT_TO_PROVIDER = 9, "Sent to the service provider"


class FailureType(_Labelled):
    """How lasting a failure is (spec §1.5, §8.2); the codes are ours."""

    NOT_DEFINED = 0, "Not defined"
    SOFT = 1, "Soft"
    HARD = 2, "Hard"
    IGNORED = 3, "Ignored"


class FailureReason(_Labelled):
    """Why a message was not delivered or not sent (spec §1.6)."""

    NOT_DEFINED = 0, "Not defined"
    USER_UNKNOWN = 1, "User unknown"
    INVALID_DOMAIN = 2, "Invalid domain"
    UNREACHABLE = 3, "Unreachable"
    ACCOUNT_DISABLED = 4, "Account disabled"
    MAILBOX_FULL = 5, "Mailbox full"
    NOT_CONNECTED = 6, "Not connected"
    ADDRESS_NOT_SPECIFIED = 7, "Address not specified"
    DENYLISTED = 8, "Denylisted address"
    QUARANTINE = 9, "Address in quarantine"
    DOUBLE = 10, "Double"
    SQL_RULE = 11, "Excluded by a SQL rule"
    ARBITRATION = 12, "Excluded after arbitration"
    BAD_QUALITY = 14, "Bad-quality address"
    UNQUALIFIED = 15, "Unqualified address"
    NOT_ELIGIBLE = 16, "Not eligible for the offers"
    TARGET_LIMITED = 17, "Target limited in size"
    REFUSED = 20, "Refused"
    ERROR_IGNORED = 25, "Error ignored"
    CONTROL_ADDRESS = 127, "Control address"


class EmailFormat(_Labelled):
    """What a recipient wants to read (spec §1.4)."""

    UNDEFINED = 0, "Undefined"
    TEXT = 1, "Text"
    HTML = 2, "HTML"


class QuarantineStatus(_Labelled):
    """Where an address stands (spec §1.11); all but 2 are ours."""

    UNKNOWN = 0, "Unknown"
    WITH_ERRORS = 1, "With errors"
    VALID = 2, "Valid"
    DENYLISTED = 3, "Denylisted"
    QUARANTINE = 4, "Quarantine"
    ALLOWLISTED = 5, "Allowlisted"


class WorkflowState(_Labelled):
    """Where a workflow stands (spec §1.11); all but 13 and 20 are ours."""

    BEING_EDITED = 0, "Being edited"
    START_AS_SOON_AS_POSSIBLE = 2, "Start as soon as possible"
    START_IN_PROGRESS = 5, "Start in progress"
    STARTED = 11, "Started"
    PAUSE_REQUESTED = 12, "Pause requested"
    PAUSED = 13, "Paused"
    RESUME_REQUESTED = 14, "Resume requested"
    FINISHED = 20, "Finished"


class Severity(_Labelled):
    """How bad a journal line is (spec §1.11); the codes are ours."""

    INFO = 0, "Info"
    WARNING = 1, "Warning"
    ERROR = 2, "Error"


class TrackingMode(StrEnum):
    """What happens to a link (spec §3.5); `code` and the texts of the commands are ours."""

    ENABLED = "enabled"
    NOT_TRACKED = "not-tracked"
    ALWAYS = "always"
    NEVER = "never"
    OPT_OUT = "opt-out"
    MIRROR = "mirror"

    @property
    def code(self) -> int:
        """Give the number that the database keeps: 0 to 5 in the order of the spec."""
        return list(TrackingMode).index(self)

    @property
    def label(self) -> str:
        """Spell the mode as the spec's lists do."""
        return _MODE_LABELS[self]

    @property
    def is_tracked(self) -> bool:
        """Tell whether links of this mode are rewritten."""
        return self not in (TrackingMode.NOT_TRACKED, TrackingMode.NEVER)


_MODE_LABELS: Final = {
    TrackingMode.ENABLED: "Enabled",
    TrackingMode.NOT_TRACKED: "Not tracked",
    TrackingMode.ALWAYS: "Always enabled",
    TrackingMode.NEVER: "Never tracked",
    TrackingMode.OPT_OUT: "Opt-out",
    TrackingMode.MIRROR: "Mirror page",
}


class WebTrackingMode(StrEnum):
    """Which web visits are kept, and whose they are (spec §4.6); the texts are ours.

    Forced: the delivery that the tag names is theirs; last: that of the last click of the browser.
    """

    SESSION = "session"
    PERMANENT_FORCED = "permanent-forced"
    PERMANENT_LAST = "permanent-last"
    ANONYMOUS_FORCED = "anonymous-forced"
    ANONYMOUS_LAST = "anonymous-last"

    @property
    def label(self) -> str:
        """Say in words whose visits are kept."""
        return _WEB_MODE_LABELS[self]

    @property
    def is_permanent(self) -> bool:
        """Tell whether a browser is enough that was identified before; so it is in anonymous."""
        return self is not WebTrackingMode.SESSION

    @property
    def is_anonymous(self) -> bool:
        """Tell whether visits of browsers are kept that nobody has identified."""
        return self in (WebTrackingMode.ANONYMOUS_FORCED, WebTrackingMode.ANONYMOUS_LAST)

    @property
    def is_last_delivery(self) -> bool:
        """Tell whether the last click of the browser says which delivery a visit belongs to."""
        return self in (WebTrackingMode.PERMANENT_LAST, WebTrackingMode.ANONYMOUS_LAST)


_WEB_MODE_LABELS: Final = {
    WebTrackingMode.SESSION: "Session: visits after a click, until the browser is closed",
    WebTrackingMode.PERMANENT_FORCED: "Permanent: visits of browsers that once clicked, for the"
    " delivery that the tag names",
    WebTrackingMode.PERMANENT_LAST: "Permanent: visits of browsers that once clicked, for the"
    " delivery clicked last",
    WebTrackingMode.ANONYMOUS_FORCED: "Anonymous: visits of all browsers, for the delivery that"
    " the tag names",
    WebTrackingMode.ANONYMOUS_LAST: "Anonymous: visits of all browsers, for the delivery clicked"
    " last",
}


class MirrorMode(StrEnum):
    """When a message has a mirror page (spec §3.11); the texts of the commands are ours."""

    IF_LINKED = "if-linked"
    FORCE = "force"
    NONE = "none"
    BY_MESSAGE = "by-message"

    @property
    def label(self) -> str:
        """Spell the mode as the spec does."""
        return _MIRROR_LABELS[self]


_MIRROR_LABELS: Final = {
    MirrorMode.IF_LINKED: "Generate if a mirror link is in the content",
    MirrorMode.FORCE: "Force the generation",
    MirrorMode.NONE: "Do not generate",
    MirrorMode.BY_MESSAGE: "Generate, reachable only by message identifier",
}


class PixelPlace(StrEnum):
    """Where the open pixel stands in the HTML; the texts of the commands are ours."""

    BOTTOM = "bottom"
    TOP = "top"
    PLACEHOLDER = "placeholder"

    @property
    def label(self) -> str:
        """Spell the place for people."""
        return self.value.capitalize()


class Part(StrEnum):
    """The content a link stood in: the format letter of spec §3.7; `code` is ours (4 bits)."""

    HTML = "h"
    TEXT = "t"
    SMS = "s"
    ANDROID = "a"
    IOS = "i"
    LINE = "l"

    @property
    def code(self) -> int:
        """Give the four bits that a token carries: 1 to 6."""
        return "htsail".index(self.value) + 1


class Verdict(StrEnum):
    """Who a hit is taken to be (architecture D7)."""

    HUMAN = "human"
    SUSPECT = "suspect"
    MACHINE = "machine"
    REPEAT = "repeat"


URL_CATEGORIES: Final = ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
"""The values of `urlCategory` that the sharing reports know (spec §1.7); others are welcome."""
