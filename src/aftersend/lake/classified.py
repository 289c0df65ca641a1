"""Hits with their verdicts, for the engine inside the process.

What `counted_log` says is much SQL, and spelling it takes longer than the engine needs to classify
the hits of a delivery. So it is spelled once for each edition of the rules, over a table of no
engine, and put over the hits of a query as a view.
"""

from functools import lru_cache
from typing import Final

import ibis

from aftersend.lake import duckdb
from aftersend.lake.counted_log import counted_log
from aftersend.lake.machines import Rules

__all__ = ["classified"]

_HITS: Final = "hits_to_classify"
_EDITIONS_KEPT: Final = 8


def classified(hits: ibis.Table, rules: Rules) -> ibis.Table:
    """Say of every hit of a DuckDB connection what `counted_log` says.

    Shape: as `aftersend.lake.counted_log`.
    """
    schema = tuple(hits.schema().items())
    sql, told = _spelled(schema, _Key(rules))
    return duckdb.put_over(hits, _HITS, sql, told)


class _Key:
    """Rules, equal where they classify alike; a mapping of agents cannot be hashed itself."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        agents = frozenset((name, frozenset(ids)) for name, ids in rules.agents.items())
        self._text = (rules.edition, agents)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@lru_cache(maxsize=_EDITIONS_KEPT)
def _spelled(schema: tuple[tuple[str, ibis.DataType], ...], key: _Key) -> tuple[str, ibis.Schema]:
    told = counted_log(ibis.table(dict(schema), name=_HITS), key.rules)
    return duckdb.spelled(told), told.schema()
