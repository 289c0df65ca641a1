"""The domain table."""

import pytest

from aftersend.database.figures import DomainFigures
from aftersend.model.domain import DOMAINS, Domains
from aftersend.reports.tracking_indicators import domain_table


def _percent(value: object) -> str:
    assert isinstance(value, float)
    return f"{100 * value:.2f}"


@pytest.mark.parametrize(
    ("sent", "opens", "clicks", "expected"),
    [
        (1120, 123, 21, ("10.98", "1.88", "17.07")),
        (3231, 366, 79, ("11.33", "2.45", "21.58")),
        (714_358, 77_677, 6_000, ("10.87", "0.84", "7.72")),
    ],
)
def test_rates_are_those_of_the_published_screenshot(
    sent: int, opens: int, clicks: int, expected: tuple[str, ...]
) -> None:
    """Test vector B of the documentation: opens and clicks by sent, clicks by opens."""
    row = domain_table([DomainFigures("Others", sent, 0, opens, clicks)]).rows[0]

    names = ("recipient_open_rate", "recipient_click_rate", "raw_reactivity")
    assert tuple(_percent(row[name]) for name in names) == expected


def test_the_busiest_is_first_and_others_are_last() -> None:
    """Names by how much was sent to them, then Others, however much that is, then the total."""
    table = domain_table(
        [
            DomainFigures("Others", success=50, recipient_open=5),
            DomainFigures("AOL", success=5, recipient_open=2),
            DomainFigures("Gmail", success=9, recipient_open=4),
        ]
    )

    rows = [(row["domain"], row["sent"], row["recipient_open"]) for row in table.rows]
    assert rows == [("Gmail", 9, 4), ("AOL", 5, 2), ("Others", 50, 5), ("Total", 64, 11)]


def test_the_total_has_ratios_of_sums() -> None:
    """1 of 1 and 0 of 9 make 10 %, not 50 %."""
    rows = domain_table([DomainFigures("AOL", 1, 0, 1), DomainFigures("Free", 9)]).rows

    assert rows[-1]["recipient_open_rate"] == 0.1


def test_complaints_are_a_share_of_sent() -> None:
    """Three complaints of 1000 are 0.003."""
    row = domain_table([DomainFigures("Free", success=1000, complaints=3)]).rows[0]

    assert (row["complaints"], row["complaints_rate"]) == (3, 0.003)


def test_nothing_sent_makes_an_empty_total() -> None:
    """Without rows there is a total of 0 whose rates are none."""
    (row,) = domain_table([]).rows

    assert (row["domain"], row["sent"], row["sent_rate"]) == ("Total", 0, None)


def test_an_alias_belongs_to_one_name() -> None:
    """No domain is gathered twice, and all aliases are found whatever their case."""
    aliases = [alias for each in DOMAINS.values() for alias in each]

    assert len(set(aliases)) == len(aliases)
    assert {Domains().name_of(alias.upper()) for alias in aliases} == set(DOMAINS)
