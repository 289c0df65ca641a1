"""The domain table of reports: names of the enumeration Domains, and the row of all of them.

Source: spec §7.0 (Domain grouping), §7.2.
"""

from typing import Final

from aftersend.model.domain import OTHERS

__all__ = ["OTHERS", "TOTAL"]

TOTAL: Final = "Total"
