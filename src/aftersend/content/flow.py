"""Where a text goes on behind its statements.

What stands behind a statement in the source need not follow in a message: behind the end of a
branch, its `else` is left out; before a condition, either of its branches may follow, or what
stands behind it; the end of a loop is followed by its beginning.

Statements are told apart by their braces, as they are in the text: `if (…) {`, `} else {`, `}`. One
without a brace at its ends counts as one that goes straight on.
"""

import re
from collections.abc import Iterator
from typing import Final

from aftersend.content.expression import OpenPixel, Passage, Statement

__all__ = ["Flow"]

_LOOP: Final = re.compile(r"(?:for|while|do)\b")
_ELSE: Final = re.compile(r"\}\s*else\s*\{")


class Flow:
    """The statements of a passage in the orders they may run in."""

    def __init__(self, passage: Passage) -> None:
        """Read the statements; each block has one that opens it and one that closes it."""
        self._at: dict[int, int] = {}
        self._ends: list[int] = []
        self._codes: list[str] = []
        self._closers: dict[int, int] = {}
        self._openers: dict[int, int] = {}
        opened: list[int] = []
        for each in passage.expressions:
            if not isinstance(each.what, Statement | OpenPixel):
                continue
            number = len(self._ends)
            self._at[each.start] = number
            self._ends.append(each.end)
            self._codes.append(each.what.code if isinstance(each.what, Statement) else "")
            if self._closes(number) and opened:
                opener = opened.pop()
                self._closers[opener] = number
                self._openers[number] = opener
            if self._opens(number):
                opened.append(number)

    def followers(self, at: int) -> set[int]:
        """Give the places whose letters may be written directly behind those before a place."""
        found: set[int] = set()
        seen = {at}
        waiting = [at]
        while waiting:
            place = waiting.pop()
            if place not in self._at:
                found.add(place)
                continue
            for end in self._behind(self._at[place]):
                if end not in seen:
                    seen.add(end)
                    waiting.append(end)
        return found

    def _behind(self, number: int) -> Iterator[int]:
        if not self._closes(number):
            yield self._ends[number]
            if self._opens(number):
                yield from self._skipped(number)
            return
        opener = self._openers.get(number)
        if opener is not None and _LOOP.match(self._codes[opener]):
            yield self._ends[opener]
        last = number
        while self._opens(last) and last in self._closers:
            last = self._closers[last]
        yield self._ends[last]

    def _skipped(self, number: int) -> Iterator[int]:
        """Give where a text goes on when the block of a statement is left out."""
        closer = self._closers.get(number)
        while closer is not None:
            yield self._ends[closer]
            if not self._opens(closer) or _ELSE.fullmatch(self._codes[closer]):
                return
            closer = self._closers.get(closer)

    def _opens(self, number: int) -> bool:
        return self._codes[number].endswith("{")

    def _closes(self, number: int) -> bool:
        return self._codes[number].startswith("}")
