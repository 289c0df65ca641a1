"""The text of a message: the web addresses in it.

An address ends at white space, quotes, angle brackets and statements; at a closing ) ] } that was
not opened inside it; and before punctuation that only ends the sentence. `{{…}}` of another product
inside it belongs to it, spaces and all; the attributes in `[[…]]` behind it do not, and are never
sent. What a block brings ends with its block.

Source: spec §3.3.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aftersend.content.address import AUTHORITY, HOST_PROBLEM, WebAddress, read_address
from aftersend.content.expression import OpenPixel, Passage, Statement
from aftersend.content.flow import Flow
from aftersend.content.hypertext import Occurrence
from aftersend.content.marking import BRACKETED, NOTRACK, Marks, read_bracketed

__all__ = ["Plaintext", "read_plaintext"]

_BEGINNING: Final = re.compile(rf"https?(?:\+notrack)?://{AUTHORITY}", re.IGNORECASE)
_END: Final = re.compile(
    r"[\s<>\"`\\\x00-\x20\x7f“”«»‘’„‚…。，、；：！？「」『』（）【】《》\u200b\u2060\ufeff]"
)
# Behind a host, anything else means that the host goes on in a way no browser would read.
_AFTER_HOST: Final = "/?#.,;:!'*)]}"
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}\n]*\}\}")
_TRAILING: Final = ".,;:!?'*([{"
_ENDS_HALF: Final = re.compile(r"(?:https?:/?/?)\Z", re.IGNORECASE)
_CONTINUED: Final = (
    "The address in front of this statement would go on behind it: write the condition around the"
    " whole address, or put a space between them."
)


@dataclass(frozen=True, slots=True)
class Plaintext:
    """Links in the order of their places, and stretches that are not sent."""

    occurrences: tuple[Occurrence, ...]
    unsent: tuple[tuple[int, int], ...]


def read_plaintext(passage: Passage, *, pairs: Sequence[str]) -> Plaintext:
    """Find the web addresses of a text; each of `pairs` is an opening and a closing bracket.

    Raises:
        InvalidContent: a value stands where it is not safe, or an address cannot be tracked.
    """
    return _Reader(passage, {pair[1]: pair[0] for pair in pairs}, Flow(passage)).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one text; `pairs` has the opening bracket of each closing one."""

    passage: Passage
    pairs: Mapping[str, str]
    flow: Flow

    def read(self) -> Plaintext:
        occurrences: list[Occurrence] = []
        unsent: list[tuple[int, int]] = []
        self._check_beginnings()
        for start, end in self._stretches():
            mark = NOTRACK.match(self.passage.masked, start)
            address = self._address(start, end, mark)
            if address is None:
                continue
            if mark:
                unsent.append(mark.span("mark"))
            brackets = BRACKETED.match(self.passage.masked, end)
            marks = Marks()
            if brackets and not self.passage.within(*brackets.span()):
                unsent.append(brackets.span())
                marks = read_bracketed(brackets["attributes"])
            marks = replace(marks, is_tracked=marks.is_tracked and mark is None)
            occurrences.append(Occurrence(start, end, address, marks))
        return Plaintext(tuple(occurrences), tuple(unsent))

    def _check_beginnings(self) -> None:
        masked = self.passage.masked
        for each in self.passage.expressions:
            if isinstance(each.what, Statement | OpenPixel):
                if _ENDS_HALF.search(masked, max(0, each.start - 8), each.start):
                    raise self.passage.error(_CONTINUED, each.start)
            elif masked.startswith("://", each.end):
                raise self.passage.error(HOST_PROBLEM, each.end)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        masked = self.passage.masked
        values_end = {each.end for each in self.passage.expressions}
        at = 0
        while match := _BEGINNING.search(masked, at):
            start, at = match.span()
            before = masked[start - 1 : start]
            if (before.isalnum() or before == "+") and start not in values_end:
                continue
            following = masked[at : at + 1]
            if (
                following
                and following not in _AFTER_HOST
                and not _END.match(following)
                and not BRACKETED.match(masked, at)
            ):
                continue
            at = self._end(match)
            yield start, at

    def _address(self, start: int, end: int, mark: re.Match[str] | None) -> WebAddress | None:
        pieces = list(self.passage.pieces(start, end))
        if mark and isinstance(pieces[0], str):
            first = pieces[0]
            pieces[0] = first[: mark.start("mark") - start] + first[mark.end("mark") - start :]
        try:
            return read_address(pieces)
        except ValueError as error:
            raise self.passage.error(str(error), start) from error

    def _end(self, beginning: re.Match[str]) -> int:
        masked = self.passage.masked
        limit = self._block_end(beginning.start())
        at = beginning.end()
        if masked[at : at + 1] in ("/", "?", "#"):
            at = self._path_end(at, limit)
        values = self.passage.within(beginning.start(), at)
        if limit == len(masked):
            self._check_continued(at)
        floor = max((each.end for each in values), default=beginning.start())
        return self._trimmed(floor, at)

    def _path_end(self, at: int, limit: int) -> int:
        """Go on to where the path, query and fragment end."""
        masked = self.passage.masked
        opened: list[str] = []
        while at < limit:
            if placeholder := _PLACEHOLDER.match(masked, at):
                at = placeholder.end()
                continue
            character = masked[at]
            if _END.match(character) or BRACKETED.match(masked, at):
                break
            if character in self.pairs.values():
                opened.append(character)
            elif character in self.pairs:
                if not opened or opened[-1] != self.pairs[character]:
                    break
                opened.pop()
            at += 1
        return at

    def _trimmed(self, floor: int, at: int) -> int:
        """Leave out punctuation that only ends the sentence."""
        trailing = (*_TRAILING, *self.pairs.values())
        while at > floor and self.passage.masked[at - 1] in trailing:
            at -= 1
        return at

    def _block_end(self, at: int) -> int:
        """Give where the block ends that a place is in, else the end of the text."""
        origins = self.passage.origins
        index = bisect_right(origins, at, key=lambda each: each[0]) - 1
        is_written = origins[index][2]
        length = len(self.passage.masked)
        if is_written:
            return length
        return origins[index + 1][0] if index + 1 < len(origins) else length

    def _check_continued(self, at: int) -> None:
        """Refuse an address at a statement when letters of an address may follow it."""
        for behind in self.flow.followers(at) - {at}:
            if _BEGINNING.match(self.passage.masked, behind):
                continue
            if self._trimmed(behind, self._path_end(behind, len(self.passage.masked))) > behind:
                raise self.passage.error(_CONTINUED, at)
