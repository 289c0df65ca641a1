"""Email domains under the names that they are gathered by.

People do not add up over domains: one may react to messages of two. So hits are named before they
are counted. Engines compare numbers twice as fast as texts, so hits get the number of a name.
Source: spec §1.10 (deliveryLogStats), §7.0 (Domain grouping).
"""

from collections.abc import Sequence

import ibis
import pyarrow as pa

from aftersend.lake import duckdb
from aftersend.model.domain import OTHERS, Domains

__all__ = ["numbered_domains"]


def numbered_domains(
    connection: duckdb.Connection, hits: ibis.Table, domains: Domains
) -> tuple[ibis.Table, Sequence[str]]:
    """Put a number in the place of each email domain, and list the names by these numbers.

    Shape: the rows and columns of `hits`; `domain` i32. The name of what is not known is `OTHERS`,
        that of an empty domain is empty.
    """
    names = ["", OTHERS, *sorted(set(domains.aliases.values()))]
    numbers = {name: number for number, name in enumerate(names)}
    known = {"": ""} | dict(sorted(domains.aliases.items()))
    table = pa.table(
        {
            "known_domain": pa.array(known.keys(), pa.string()),
            "domain_number": pa.array((numbers[name] for name in known.values()), pa.int32()),
        }
    )
    numbered = connection.create_table("domain_number", table, temp=True, overwrite=True)
    found = hits.left_join(numbered, hits.domain.lower() == numbered.known_domain)
    found = found.mutate(domain=found.domain_number.fill_null(numbers[OTHERS]))
    return found.select(*hits.columns), names
