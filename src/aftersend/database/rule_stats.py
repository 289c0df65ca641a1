"""What the rules about machines have taken out, as consolidation wrote it down."""

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from aftersend.database.schema import delivery_rule_stats
from aftersend.model.ids import DeliveryId

__all__ = ["of_deliveries"]


def of_deliveries(
    connection: Connection, deliveries: Collection[DeliveryId]
) -> list[tuple[str, int, int]]:
    """Add up what was taken out of some deliveries.

    Shape: one row per rule and URL type: rule, URL type, hits.
    """
    table = delivery_rule_stats.c
    query = (
        select(table.rule, table.url_type, func.sum(table.hits))
        .where(table.delivery_id.in_(deliveries))
        .group_by(table.rule, table.url_type)
    )
    return [(rule, kind, int(hits)) for rule, kind, hits in connection.execute(query)]
