"""Importing recipients from a CSV file.

The file: UTF-8, with or without a byte order mark; cells parted by commas, semicolons or tabs,
whichever the header uses; quoted as RFC 4180 says, line ends inside quotes included. The header
names `email` and, if wanted, `first_name`, `last_name`, `format` (text or html) and columns of
the sender's own. Spaces and hyphens in names count as underscores.

A bad row is reported and left out, the others are kept. A file that cannot be read as a whole
(see `import_recipients`) changes nothing: it is read twice, and written only the second time.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from aftersend.database import recipients
from aftersend.database.engine import Database
from aftersend.database.recipients import Profile
from aftersend.delivery import address
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import EmailFormat
from aftersend.model.ids import RecipientId
from aftersend.platform.clock import Clock

__all__ = ["COLUMNS_MAX", "FIELD_LENGTH_MAX", "ImportReport", "Rejected", "import_recipients"]

COLUMNS_MAX: Final = 200
FIELD_LENGTH_MAX: Final = 4096
_NAME_LENGTH_MAX: Final = 255
_COLUMN_LENGTH_MAX: Final = 100

_NAMES: Final = ("first_name", "last_name")
_FORMATS: Final = {
    "": EmailFormat.UNDEFINED,
    "undefined": EmailFormat.UNDEFINED,
    "text": EmailFormat.TEXT,
    "html": EmailFormat.HTML,
    **{str(int(kind)): kind for kind in EmailFormat},
}
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]*")
_SPACES: Final = re.compile(r"[\s-]+")
# Tabs and line ends may stand in a field of the sender's own.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Rejected(NamedTuple):
    """A row that was left out; `row` is the line it begins in, from 1."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file.

    `imported` recipients are new, `updated` ones were known. `recipient_ids` are all of them, in
    the order of the file.
    """

    imported: int
    updated: int
    rejected: Sequence[Rejected]
    recipient_ids: Sequence[RecipientId] = field(repr=False)


def import_recipients(database: Database, file: Path, *, clock: Clock) -> ImportReport:
    """Add the recipients of a CSV file and bring known ones up to date.

    Columns that the file lacks stay as they are. Nobody comes off the denylist by an import.

    Raises:
        InvalidInput: the file is missing, not UTF-8, has no usable header, or a quote in it is
            never closed; nothing was changed.
    """
    for _ in _read(file):
        pass
    imported = updated = 0
    ids: list[RecipientId] = []
    rejected: list[Rejected] = []
    for profiles in _batches(file, rejected):
        with database.write() as connection:
            done = recipients.upsert(connection, profiles, at=clock.now())
        ids += done.ids
        imported += done.inserted
        updated += len(profiles) - done.inserted
    return ImportReport(imported, updated, rejected, ids)


def _batches(file: Path, rejected: list[Rejected]) -> Iterator[list[Profile]]:
    seen: dict[str, int] = {}
    batch: list[Profile] = []
    for line, header, cells in _read(file):
        try:
            profile = _profile(header, cells)
        except InvalidInput as error:
            rejected.append(Rejected(line, str(error)))
            continue
        first = seen.setdefault(profile.email, line)
        if first != line:
            rejected.append(Rejected(line, f"the address stands in line {first} already"))
            continue
        batch.append(profile)
        if len(batch) == recipients.BATCH_ROWS_MAX:
            yield batch
            batch = []
    if batch:
        yield batch


def _profile(header: Sequence[str], cells: Sequence[str] | csv.Error) -> Profile:
    if isinstance(cells, csv.Error):
        raise InvalidInput(f"the row is not CSV: {cells}")
    if any(cells[len(header) :]):
        raise InvalidInput(f"the row has {len(cells)} cells, the header only {len(header)}")
    # Spreadsheets leave out empty cells at the end of a row, or write too many of them.
    values = dict(zip_longest(header, cells[: len(header)], fillvalue=""))
    email = address.normalise(values.pop("email"))
    columns: dict[str, Any] = {}
    for name in _NAMES:
        if name in values:
            columns[name] = _name(name, values.pop(name).strip())
    if "format" in values:
        columns["format"] = _format(values.pop("format"))
    for name, value in values.items():
        if len(value) > FIELD_LENGTH_MAX:
            raise InvalidInput(f"{name} is longer than {FIELD_LENGTH_MAX} characters")
        if _FORBIDDEN.search(value):
            raise InvalidInput(f"{name} has control characters")
    return Profile(email, columns, values)


def _name(column: str, value: str) -> str:
    if len(value) > _NAME_LENGTH_MAX:
        raise InvalidInput(f"{column} is longer than {_NAME_LENGTH_MAX} characters")
    if address.has_control_characters(value):
        raise InvalidInput(f"{column} has control characters")
    return value


def _format(cell: str) -> EmailFormat:
    kind = _FORMATS.get(cell.strip().lower())
    if kind is None:
        raise InvalidInput(f"the format {cell.strip()[:20]!r} is unknown: write text or html")
    return kind


def _read(file: Path) -> Iterator[tuple[int, Sequence[str], Sequence[str] | csv.Error]]:
    """Give every row with the line it begins in and the header; blank ones are left out."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _rows(file.name, lines)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not UTF-8: save it as CSV UTF-8.") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error


def _rows(
    name: str, lines: Iterator[str]
) -> Iterator[tuple[int, Sequence[str], Sequence[str] | csv.Error]]:
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    header = _header(name, next(csv.reader([first], delimiter=delimiter), []))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        before = reader.line_num
        line = before + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num - before > 1:
                raise InvalidInput(
                    f"{name}, line {line}: a quote is opened and not closed as it should be."
                ) from error
            yield line, header, error
            continue
        if any(cell.strip() for cell in cells):
            yield line, header, cells


def _header(name: str, cells: Sequence[str]) -> list[str]:
    columns = [_SPACES.sub("_", cell.strip().lower()) for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if "email" not in columns:
        raise InvalidInput(
            f"{name} has no column email: its first line must be a header such as"
            " email,first_name,last_name,format."
        )
    if len(columns) > COLUMNS_MAX:
        raise InvalidInput(f"{name} has more than {COLUMNS_MAX} columns.")
    for column in columns:
        if not _COLUMN.fullmatch(column) or len(column) > _COLUMN_LENGTH_MAX:
            raise InvalidInput(
                f"{name} has a column named {column[:40]!r}: names are made of a to z, 0 to 9 and _"
                " and begin with a letter."
            )
        if columns.count(column) > 1:
            raise InvalidInput(f"{name} has two columns named {column}.")
    return columns
