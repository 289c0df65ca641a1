"""Importing recipients from a CSV file."""

from pathlib import Path
from time import perf_counter

import pytest

from aftersend.database import recipients
from aftersend.database.recipients import Recipient
from aftersend.delivery.office import PostOffice
from aftersend.delivery.recipients import ImportReport, import_recipients
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import EmailFormat
from aftersend.platform.clock import ManualClock


def _import(office: PostOffice, tmp_path: Path, content: str | bytes) -> ImportReport:
    file = tmp_path / "people.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_recipients(office.database, file, clock=office.clock)


def _by_email(office: PostOffice, email: str) -> Recipient:
    with office.database.read() as connection:
        return recipients.by_email(connection, email)


def _count(office: PostOffice) -> int:
    with office.database.read() as connection:
        return recipients.count(connection)


def test_columns_land_where_they_belong(office: PostOffice, tmp_path: Path) -> None:
    """Known columns become the recipient's own, all others fields under their names."""
    report = _import(
        office,
        tmp_path,
        "email,first_name,last_name,format,city,Customer-No\n"
        "Ada@Example.com,Ada,Lovelace,text,London,7\n",
    )

    ada = _by_email(office, "ada@example.com")
    assert (1, 0, []) == (report.imported, report.updated, report.rejected)
    assert [ada.id] == report.recipient_ids
    assert ("Ada", "Lovelace", EmailFormat.TEXT) == (ada.first_name, ada.last_name, ada.format)
    assert {"city": "London", "customer_no": "7"} == ada.fields
    assert "example.com" == ada.domain


@pytest.mark.parametrize(
    "content",
    [
        "email,city\nada@example.com,London\n",
        "email;city\r\nada@example.com;London\r\n",
        "email\tcity\nada@example.com\tLondon",
        "\ufeffemail,city\nada@example.com,London\n",
        '"email","city"\n"ada@example.com","London"\n',
        "city,email\n\nLondon,ada@example.com\n,,\n",
        "email,city,,\nada@example.com,London,,,\n",
    ],
)
def test_the_usual_spellings_of_csv_are_one(
    office: PostOffice, tmp_path: Path, content: str
) -> None:
    """Delimiters, line ends, byte order marks, quotes and blank lines make no difference."""
    report = _import(office, tmp_path, content)

    assert [] == report.rejected
    assert {"city": "London"} == _by_email(office, "ada@example.com").fields


def test_a_line_end_inside_quotes_belongs_to_the_cell(office: PostOffice, tmp_path: Path) -> None:
    """Quoted line ends are kept, and rows behind them are told by the line they begin in."""
    report = _import(
        office,
        tmp_path,
        'email,note\nada@example.com,"one\ntwo"\nbad\nbob@example.com,"a ""b"""\nworse\n',
    )

    assert {"note": "one\ntwo"} == _by_email(office, "ada@example.com").fields
    assert {"note": 'a "b"'} == _by_email(office, "bob@example.com").fields
    assert [4, 6] == [row for row, _ in report.rejected]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ada,", "the address is missing"),
        ("ada,Ada,", "the address has no @"),
        ("a\x01b@example.com,Ada,", "the address has control characters"),
        ("bob@example.com,Ada,", "the address stands in line 2 already"),
        ("BOB@example.com,Ada,", "the address stands in line 2 already"),
        ("ada@example.com,Ada,pdf", "the format 'pdf' is unknown: write text or html"),
        ("ada@example.com,Ada,text,x", "the row has 4 cells, the header only 3"),
        ('ada@example.com,"Ada\nBcc: x@y.example",', "first_name has control characters"),
        (f"ada@example.com,{'x' * 256},", "first_name is longer than 255 characters"),
        ('ada@example.com,"A"da,', "the row is not CSV"),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_kept(
    office: PostOffice, tmp_path: Path, row: str, reason: str
) -> None:
    """A bad row is reported by line and reason; the rows around it are imported."""
    content = f"email,first_name,format\nbob@example.com,Bob,html\n{row}\neve@example.com,Eve,1\n"

    report = _import(office, tmp_path, content)

    assert 2 == report.imported
    ((line, why),) = report.rejected
    assert 3 == line
    assert why.startswith(reason)
    assert EmailFormat.TEXT is _by_email(office, "eve@example.com").format


@pytest.mark.parametrize(
    ("note", "reason"),
    [("x" * 4097, "note is longer than 4096"), ("a\x07b", "note has control characters")],
)
def test_fields_of_the_sender_are_bounded(
    office: PostOffice, tmp_path: Path, note: str, reason: str
) -> None:
    """A field of the sender's own may be long and have several lines, within limits."""
    longest = "y\t\n" * 1365

    report = _import(
        office, tmp_path, f'email,note\nada@x.example,{note}\nbob@x.example,"{longest}"\n'
    )

    ((row, why),) = report.rejected
    assert (2, True) == (row, why.startswith(reason))
    assert {"note": longest} == _by_email(office, "bob@x.example").fields


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no column email"),
        (b"ada@example.com\n", "no column email"),
        (b"mail,name\nada@example.com,Ada\n", "no column email"),
        (b"email,b\xe9\nada@example.com,x\n", "not UTF-8"),
        (b"email\nada@example.com\n" + b"x@example.com\n" * 9000 + b"\xff\xfe\n", "not UTF-8"),
        (b"email,a b!\nada@example.com,x\n", "'a_b!'"),
        (b"email,city,City\nada@example.com,x,y\n", "two columns named city"),
        (b'email,city\nada@example.com,x\nbob@example.com,"Lon\neve@example.com,y\n', "line 3"),
        (b"email" + b",x" * 200 + b"\n", "more than 200 columns"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(
    office: PostOffice, tmp_path: Path, content: bytes, why: str
) -> None:
    """A file that is wrong as a whole is refused with one sentence before anything is written."""
    with pytest.raises(InvalidInput, match=why):
        _import(office, tmp_path, content)

    assert 0 == _count(office)


def test_a_missing_file_is_told(office: PostOffice, tmp_path: Path) -> None:
    """A file that is not there is told with the system's words."""
    with pytest.raises(InvalidInput, match="No such file"):
        import_recipients(office.database, tmp_path / "none.csv", clock=office.clock)


def test_importing_twice_is_importing_once(office: PostOffice, tmp_path: Path) -> None:
    """The same file again adds nobody and gives the same ids."""
    content = "email,city\nada@example.com,London\nbob@example.com,Paris\n"

    first = _import(office, tmp_path, content)
    second = _import(office, tmp_path, content)

    assert (0, 2) == (second.imported, second.updated)
    assert first.recipient_ids == second.recipient_ids


def test_an_import_changes_only_what_it_says(
    office: PostOffice, tmp_path: Path, clock: ManualClock
) -> None:
    """Columns that a file lacks stay as they are; those it has replace what was there."""
    _import(office, tmp_path, "email,first_name,city,no\nada@example.com,Ada,London,7\n")
    clock.advance(60)

    _import(office, tmp_path, "email,city\nada@example.com,\n")

    ada = _by_email(office, "ada@example.com")
    assert "Ada" == ada.first_name
    assert {"city": "", "no": "7"} == ada.fields
    assert clock.now() == ada.modified_at
    assert ada.created_at < ada.modified_at


def test_nobody_comes_off_the_denylist_by_an_import(office: PostOffice, tmp_path: Path) -> None:
    """Who asked not to be contacted stays on the denylist when imported again."""
    report = _import(office, tmp_path, "email\nada@example.com\n")
    with office.database.write() as connection:
        recipients.set_denylisted(connection, report.recipient_ids[0], at=office.clock.now())

    _import(office, tmp_path, "email\nada@example.com\n")

    assert _by_email(office, "ada@example.com").is_denylisted


def test_a_hundred_thousand_rows_take_seconds(office: PostOffice, tmp_path: Path) -> None:
    """A large file is imported in batches, and bad rows in it are found."""
    rows = "".join(f"p{number}@x{number % 50}.example,Ann,Town\n" for number in range(100_000))
    began = perf_counter()

    report = _import(office, tmp_path, f"email,first_name,city\n{rows}bad,Bob,Town\n")

    assert 100_000 == report.imported == len(report.recipient_ids) == _count(office)
    assert [100_002] == [row for row, _ in report.rejected]
    assert perf_counter() - began < 60
