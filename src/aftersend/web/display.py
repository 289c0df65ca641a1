"""How figures, times and places are spelled on pages.

Ratios come in as ratios and leave as percent; times come in as UTC and leave in the zone of
`web.time_zone`.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aftersend.errors import InvalidSettings

__all__ = [
    "NOTHING",
    "Zone",
    "duration",
    "mask_address",
    "middle",
    "number",
    "percent",
    "quantity",
    "relative",
]

NOTHING: Final = "–"
"""What stands where there is no figure."""

_STEPS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone of the pages."""

    name: str
    tz: tzinfo

    @classmethod
    def named(cls, name: str) -> Self:
        """Give the zone of an IANA name such as ``Europe/Paris``.

        Raises:
            InvalidSettings: there is no such zone.
        """
        try:
            return cls(name, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InvalidSettings(
                f"web.time_zone: there is no time zone {name}; write one such as Europe/Paris."
            ) from error

    def date_time(self, at: datetime | None) -> str:
        """Spell a moment to the second.

        >>> from datetime import UTC
        >>> Zone.named("Europe/Paris").date_time(datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC))
        '2026-07-01 14:00:05'
        """
        return NOTHING if at is None else at.astimezone(self.tz).strftime("%Y-%m-%d %H:%M:%S")

    def short(self, at: datetime | None) -> str:
        """Spell a moment to the minute."""
        return NOTHING if at is None else at.astimezone(self.tz).strftime("%Y-%m-%d %H:%M")

    def read(self, text: str) -> datetime | None:
        """Read what a date-and-time field of a form holds; none when it holds nothing usable."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        return at if at.tzinfo is not None else at.replace(tzinfo=self.tz)


def number(value: int | float | None) -> str:
    """Spell a count.

    >>> number(10186024)
    '10,186,024'
    """
    return NOTHING if value is None else f"{value:,.0f}"


def quantity(value: int | float | None) -> str:
    """Spell a count, or with two decimals what is none: a sum of money, an average.

    >>> quantity(1500), quantity(1500.0)
    ('1,500', '1,500.00')
    """
    return f"{value:,.2f}" if isinstance(value, float) else number(value)


def percent(ratio: float | None) -> str:
    """Spell a ratio in percent, above 100 % too.

    >>> percent(3.75)
    '375.00 %'
    """
    return NOTHING if ratio is None else f"{ratio * 100:,.2f} %"


def duration(seconds: float | None) -> str:
    """Spell how long something took.

    >>> duration(0.42), duration(75)
    ('0.4 s', '1 min 15 s')
    """
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def relative(at: datetime | None, now: datetime) -> str:
    """Spell how far away a moment is.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> relative(now - timedelta(minutes=5), now), relative(now + timedelta(hours=1), now)
    ('5 minutes ago', 'in 1 hour')
    """
    if at is None:
        return NOTHING
    seconds = (at - now).total_seconds()
    for size, name in _STEPS:
        count = round(abs(seconds) / size)
        if count >= 1:
            words = f"{count} {name}{'s' if count > 1 else ''}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "in a moment" if seconds > 0 else "just now"


def mask_address(address: str) -> str:
    """Spell an address so that its owner knows it and a stranger does not.

    >>> mask_address("marie@example.com")
    'm••••@example.com'
    """
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}••••@{domain}"


def middle(text: str, length: int) -> str:
    """Leave out the middle of a text that has more than `length` characters.

    Of a long address the beginning and the end tell most.

    >>> middle("https://www.example.com/shop/lamps", 20)
    'https://www.e…/lamps'
    """
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end - 1]}…{text[-end:]}"
