"""The text of a message: the web addresses in it.

An address ends at white space, quotes and angle brackets; at a closing ) ] } that was not opened
inside it; and before punctuation that only ends the sentence. `{{…}}` of another product inside it
belongs to it, spaces and all.

Source: spec §3.3.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aftersend.content.address import AUTHORITY, HOST_PROBLEM, read_address
from aftersend.content.expression import MessageToken, Passage
from aftersend.content.hypertext import Occurrence

__all__ = ["read_plaintext"]

_BEGINNING: Final = re.compile(rf"https?://{AUTHORITY}", re.IGNORECASE)
_END: Final = re.compile(
    r"[\s<>\"`\\\x00-\x20\x7f“”«»‘’„‚…。，、；：！？「」『』（）【】《》\u200b\u2060\ufeff]"
)
# Behind a host, anything else means that the host goes on in a way no browser would read.
_AFTER_HOST: Final = "/?#.,;:!'*)]}"
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}\n]*\}\}")
_TRAILING: Final = ".,;:!?'*([{"


def read_plaintext(
    passage: Passage, *, pairs: Sequence[str] = ("()", "[]", "{}")
) -> tuple[Occurrence, ...]:
    """Find the web addresses of a text; each of `pairs` is an opening and a closing bracket.

    Raises:
        InvalidContent: a value stands where it is not safe, or an address cannot be tracked.
    """
    return tuple(_occurrences(passage, {pair[1]: pair[0] for pair in pairs}))


def _occurrences(passage: Passage, pairs: Mapping[str, str]) -> Iterator[Occurrence]:
    at = 0
    values_end = [each.end for each in passage.expressions]
    for end in values_end:
        if passage.masked.startswith("://", end):
            raise passage.error(HOST_PROBLEM, end)
    while match := _BEGINNING.search(passage.masked, at):
        start, at = match.span()
        before = passage.masked[start - 1 : start]
        if (before.isalnum() or before == "+") and start not in values_end:
            continue
        following = passage.masked[at : at + 1]
        if following and following not in _AFTER_HOST and not _END.match(following):
            continue
        at = _end_of(passage, match, pairs)
        try:
            address = read_address(passage.pieces(start, at))
        except ValueError as error:
            raise passage.error(str(error), start) from error
        if address is not None:
            yield Occurrence(start, at, address)


def _end_of(passage: Passage, beginning: re.Match[str], pairs: Mapping[str, str]) -> int:
    masked = passage.masked
    token = next(
        (
            each
            for each in passage.within(beginning.start(), len(masked))
            if isinstance(each.what, MessageToken)
        ),
        None,
    )
    at = beginning.end()
    if masked[at : at + 1] in ("/", "?", "#"):
        at = _path_end(masked, at, pairs)
    if token and token.start < at:
        return token.end
    floor = max((each.end for each in passage.within(beginning.start(), at)), default=0)
    while at > max(floor, beginning.start()) and masked[at - 1] in _TRAILING:
        at -= 1
    return at


def _path_end(masked: str, at: int, pairs: Mapping[str, str]) -> int:
    """Go on to where the path, query and fragment end."""
    opened: list[str] = []
    while at < len(masked):
        if placeholder := _PLACEHOLDER.match(masked, at):
            at = placeholder.end()
            continue
        character = masked[at]
        if _END.match(character):
            break
        if character in pairs.values():
            opened.append(character)
        elif character in pairs:
            if not opened or opened[-1] != pairs[character]:
                break
            opened.pop()
        at += 1
    return at
