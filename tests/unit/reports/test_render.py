"""Reports and lists as JSON and CSV."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.ids import DeliveryId, LogId, MessageId, RecipientId
from aftersend.reports import render
from aftersend.reports.log_query import LogRow
from aftersend.reports.report import Report, Table

_AT = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)


def test_a_log_row_has_the_promised_fields() -> None:
    """Names, order and spelling are those that scripts rely on; ids are numbers, times UTC."""
    row = LogRow(
        log_id=LogId("10x0000000000000003"),
        at=_AT,
        type=UrlType.EMAIL_CLICK,
        url="https://example.com/",
        label="Home",
        delivery="News",
        delivery_id=DeliveryId(7),
        recipient="marie@example.com",
        source_id="",
        verdict=Verdict.HUMAN,
        rule="",
        part="h",
        message_id=MessageId(8),
        recipient_id=RecipientId(9),
    )

    assert json.dumps(render.row_document(row)) == (
        '{"log_id": "10x0000000000000003", "at": "2026-01-02T03:04:05.006000Z",'
        ' "type": "email_click", "url": "https://example.com/", "label": "Home",'
        ' "delivery": "News", "delivery_id": 7, "recipient": "marie@example.com",'
        ' "source_id": "", "verdict": "human", "rule": "", "part": "h",'
        ' "amount": null, "article": null}'
    )


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"]
)
def test_a_formula_becomes_a_text(text: str) -> None:
    """What a spreadsheet would run begins with an apostrophe (field lesson P3)."""
    (_, row) = csv.reader(io.StringIO(render.rows_csv(["label"], [[text]]), newline=""))

    assert row == [f"'{text}"]


def test_numbers_stay_numbers() -> None:
    """Forwards below zero are a number, not a formula; none is an empty cell."""
    text = render.rows_csv(["a", "b", "c", "d"], [[-1, 0.5, None, _AT]])

    assert text == "a,b,c,d\r\n-1,0.5,,2026-01-02T03:04:05.006000Z\r\n"


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2)))
def test_csv_gives_back_every_text(rows: list[list[str]]) -> None:
    """Commas, quotes and line feeds survive; only the apostrophe of a formula is added.

    Killed by: joining cells with commas.
    """
    text = render.rows_csv(["one", "two"], rows)
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]

    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    assert not any(cell.lstrip(" ")[:1] in tuple("=+-@\t\r\n") for row in read for cell in row)


def test_a_label_in_a_table_is_no_formula() -> None:
    """Cells of a report's tables are made harmless, too."""
    table = Table("Links", {"label": "Label"}, [{"label": "=1+1"}])
    report = Report("links", "Links", None, {}, {"links": table})

    assert render.to_csv(report) == "indicator,label,value,rate\r\n\r\nlabel\r\n'=1+1\r\n"


def test_an_unknown_moment_is_null() -> None:
    """A report of what was never collected has no date, and its notes are told."""
    document = render.document(Report("empty", "Empty", None, {}, {}, ("Tracking is off.",)))

    assert document == {
        "report": "empty",
        "as_of": None,
        "indicators": {},
        "tables": {},
        "notes": ["Tracking is off."],
    }
