"""Email domains under the names that they are gathered by.

People do not add up over domains: one may react to messages of two. So hits are named before they
are counted.
Source: spec §1.10 (deliveryLogStats), §7.0 (Domain grouping).
"""

import ibis
import pyarrow as pa

from aftersend.lake import duckdb
from aftersend.model.domain import OTHERS, Domains

__all__ = ["named_domains"]


def named_domains(connection: duckdb.Connection, hits: ibis.Table, domains: Domains) -> ibis.Table:
    """Put the name of each email domain in its place.

    Shape: the rows and columns of `hits`; `domain` is a name, or `OTHERS`, or empty where it was.
    """
    aliases = sorted(domains.aliases.items())
    table = pa.table(
        {
            "known_domain": pa.array([alias for alias, _ in aliases], pa.string()),
            "domain_name": pa.array([name for _, name in aliases], pa.string()),
        }
    )
    names = connection.create_table("domain_name", table, temp=True, overwrite=True)
    found = hits.left_join(names, hits.domain.lower() == names.known_domain)
    name = found.domain_name.fill_null(OTHERS)
    named = found.mutate(domain=(found.domain == "").ifelse("", name))
    return named.select(*hits.columns)
