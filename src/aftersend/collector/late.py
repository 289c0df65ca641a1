"""Hits that wait until a spare server was asked for what is missing here."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from aftersend.collector.hit import Hits, respelled
from aftersend.errors import InvalidToken

__all__ = ["LateHits"]


class Source(Protocol):
    """Where catalogues are fetched from."""

    async def catalogue(self, delivery_id: int) -> bool:
        """Fetch the catalogue of a delivery; tell whether it is here now."""
        ...


class LateHits:
    """Answers, on an event loop, what `Hits.answer` has declined.

    Nothing in it is shared with the thread that reads requests, but for the spool: `hits` has
    catalogues, cookies and a budget of its own.
    """

    def __init__(self, source: Source, hits: Hits, *, recheck: Callable[[int], None]) -> None:
        """Take hits that never decline; `recheck` lets everybody look at its file again."""
        self._source, self._hits, self._recheck = source, hits, recheck

    async def answer(self, scope: Any, proto: Any) -> None:
        """Ask for the catalogue, then answer with whatever is known."""
        for path in (scope.path, *respelled(scope.path)):
            with suppress(InvalidToken):
                delivery_id = self._hits.delivery_of(path)
                await self._source.catalogue(delivery_id)
                self._recheck(delivery_id)
                self._hits.answer(scope, proto, path, scope.method)
                return
