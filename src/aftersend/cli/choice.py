"""Reading what people write behind options: lengths of time, names with values, texts and files."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from aftersend.errors import InvalidInput

__all__ = ["duration", "named", "read_object", "read_text", "text_or_file"]

T = TypeVar("T")

_DURATION: Final = re.compile(r"([0-9]{1,12})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def duration(text: str | None) -> int | None:
    """Read a length of time in seconds.

    Raises:
        InvalidInput: it is none.

    >>> duration("30d"), duration("12h"), duration("0"), duration(None)
    (2592000, 43200, 0, None)
    """
    if text is None or text == "0":
        return None if text is None else 0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"{text!r} is no length of time: write one like 30d, 12h or 90m, or 0 for ever."
        )
    return int(match[1]) * _SECONDS[match[2]]


def named(
    kind: str, pairs: Iterable[str] | None, read: Callable[[str], T]
) -> Mapping[str, T] | None:
    """Read options of the form `name=value`, each value by `read`; None when there are none.

    Raises:
        InvalidInput: one has no name, or a name is given twice.

    >>> named("variable", ["shop=Pier 3", "a=b=c"], str)
    {'shop': 'Pier 3', 'a': 'b=c'}
    """
    if pairs is None:
        return None
    values: dict[str, T] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name.strip() or not equals:
            raise InvalidInput(f"{pair!r} is no {kind}: write it as name=value.")
        if name.strip() in values:
            raise InvalidInput(f"The {kind} {name.strip()!r} is given twice.")
        values[name.strip()] = read(value)
    return values or None


def text_or_file(text: str | None) -> str | None:
    """Give a text, or what the file holds that is named as `@FILE`.

    Raises:
        InvalidInput: the file cannot be read.
    """
    if text is None or not text.startswith("@"):
        return text
    return read_text(Path(text[1:]))


def read_text(path: Path) -> str:
    """Read a file as people save it.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        # Line ends are content, too: what was written is what is sent.
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InvalidInput(f"{path} is not UTF-8: save it as UTF-8.") from error
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{path} cannot be read: {why}.") from error


def read_object(name: str) -> Any:
    """Read a document that instructions may name, `.json` or `.xml`.

    Raises:
        InvalidInput: the file cannot be read, or is not the document that its name promises.
    """
    from aftersend.delivery.resources import read_object as read

    return read(Path(name))
