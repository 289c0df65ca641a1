"""Whose web visits they are, as far as their lines say: a cookie's message, a named recipient.

The recipient that ``rcpid`` names wins over that of the cookie, whose delivery stays; the message
is then the one that this recipient got in the delivery, if any. Each thing is looked up once for
all visits, by its distinct values.

Source: spec §4.5.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
from sqlalchemy import Connection

from aftersend.database import lookup
from aftersend.tracking import parameters
from aftersend.tracking.found import MESSAGE, lined_up
from aftersend.tracking.reason import Reason, mark

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["visitors"]

_EMAIL: Final = "email"
_NOBODY: Final = (0, "")


def visitors(
    connection: Connection,
    lines: pa.Table,
    codes: npt.NDArray[np.int8],
    *,
    fields: Collection[str],
) -> pa.Table:
    """Find out whose some visits are, and mark those in `codes` whose message cannot be.

    `fields` may name recipients.

    Shape: one row per line: delivery_id, message_id, recipient_id i64, 0 where there is none that
        we know; domain text; is_seed bool.
    """
    people = _of_cookies(connection, lines, codes)
    texts = parameters.values(lines["parameters"], "rcpid")
    if texts.null_count == len(texts):
        return people
    return _with_named(connection, people, texts, fields)


def _of_cookies(connection: Connection, lines: pa.Table, codes: npt.NDArray[np.int8]) -> pa.Table:
    wanted, deliveries = lines["message_id"], lines["delivery_id"].to_numpy()
    rows = lookup.messages_by_id(connection, [each for each in wanted.unique().to_pylist() if each])
    known = lookup.deliveries_by_id(connection, np.unique(deliveries).tolist())
    message = lined_up(rows, wanted, MESSAGE)
    is_of_another = pc.fill_null(pc.not_equal(message["delivery_id"], lines["delivery_id"]), True)
    mark(codes, Reason.UNRESOLVED, (wanted.to_numpy() != 0) & is_of_another.to_numpy())
    columns = {
        "delivery_id": pa.array(np.where(np.isin(deliveries, list(known)), deliveries, 0)),
        "message_id": pc.fill_null(message["id"], 0),
        "recipient_id": pc.fill_null(message["recipient_id"], 0),
        "domain": pc.fill_null(message["domain"], ""),
        "is_seed": pc.fill_null(message["is_seed"], 0).cast(pa.bool_()),
    }
    return pa.table(list(columns.values()), names=list(columns))


def _with_named(
    connection: Connection, people: pa.Table, texts: Any, fields: Collection[str]
) -> pa.Table:
    named = texts.dictionary_encode().combine_chunks()
    found = _recipients(connection, named.dictionary.to_pylist(), fields)
    numbers = np.array([number for number, _ in found], np.int64)
    wanted = np.where(named.is_valid(), numbers[named.indices.fill_null(0).to_numpy()], 0)
    wins = (wanted != 0) & (wanted != people["recipient_id"].to_numpy())
    if not wins.any():
        return people
    deliveries = people["delivery_id"].to_numpy()[wins].tolist()
    pairs = list(zip(wanted[wins].tolist(), deliveries, strict=True))
    domains, messages = dict(found), _messages(connection, pairs)
    rows = [messages.get(pair, (0, domains[pair[0]])) for pair in pairs]
    return _replaced(
        people,
        wins,
        {
            "message_id": [number for number, _ in rows],
            "recipient_id": [recipient for recipient, _ in pairs],
            "domain": [domain for _, domain in rows],
            "is_seed": [False] * len(rows),
        },
    )


def _recipients(
    connection: Connection, texts: Sequence[str], fields: Collection[str]
) -> list[tuple[int, str]]:
    """Find id and domain of the one recipient that each ``field=value`` names."""
    wanted: dict[str, dict[str, list[tuple[int, str]]]] = {}
    asked = [_spelled(text) for text in texts]
    for field, value in asked:
        if field in fields and value:
            wanted.setdefault(field, {})[value] = []
    for field, by_value in wanted.items():
        for value, number, domain in lookup.recipients_by_field(connection, field, by_value):
            by_value[value].append((number, domain))
    matches = [wanted.get(field, {}).get(value, []) for field, value in asked]
    return [found[0] if len(found) == 1 else _NOBODY for found in matches]


def _spelled(text: str) -> tuple[str, str]:
    """Part a text into field and value, as recipients are kept."""
    field, _, value = text.partition("=")
    value = value.replace("\0", "")  # PostgreSQL takes none
    return field, value.strip().lower() if field == _EMAIL else value


def _messages(
    connection: Connection, pairs: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], tuple[int, str]]:
    """Give id and domain of the message of each recipient and delivery; of several the first."""
    found: dict[tuple[int, int], tuple[int, str]] = {}
    recipients = {recipient for recipient, delivery in pairs if delivery}
    deliveries = {delivery for _, delivery in pairs if delivery}
    for recipient, delivery, number, domain in lookup.messages_of(
        connection, recipients, deliveries
    ):
        found.setdefault((recipient, delivery), (number, domain))
    return found


def _replaced(
    table: pa.Table, is_new: npt.NDArray[np.bool_], columns: Mapping[str, Sequence[Any]]
) -> pa.Table:
    for name, new in columns.items():
        field = table.schema.field(name)
        column = pc.replace_with_mask(
            table[name].combine_chunks(), pa.array(is_new), pa.array(new, field.type)
        )
        table = table.set_column(table.schema.get_field_index(name), field, column)
    return table
