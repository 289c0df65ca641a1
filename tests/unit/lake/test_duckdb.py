"""The engine inside the process: bounded, and in UTC."""

from datetime import UTC, datetime
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from aftersend.lake import duckdb


def test_what_does_not_fit_into_memory_goes_to_a_folder_that_vanishes(tmp_path: Path) -> None:
    """A bounded engine finishes a big query, and leaves nothing behind."""
    folder = tmp_path / "scratch"
    connection = duckdb.connect(temporary=folder, memory="100MB", threads=1)

    connection.raw_sql(
        "CREATE TEMPORARY TABLE t AS SELECT range AS i, hash(range)::VARCHAR AS text"
        " FROM range(6000000)"
    )
    spilled = list(folder.iterdir())
    connection.disconnect()

    assert spilled
    assert not folder.exists()


def test_times_are_in_utc() -> None:
    """Whatever the machine's zone, a moment is told in UTC."""
    connection = duckdb.connect(threads=1)

    [(zone,)] = connection.raw_sql("SELECT current_setting('TimeZone')").fetchall()

    connection.disconnect()
    assert "UTC" == zone


@pytest.mark.parametrize("year", [1969, 2026])
def test_a_moment_tells_its_seconds_without_a_cast(year: int) -> None:
    """A cast to UTC takes ten times as long, and changes nothing.

    Mutant killed: seconds as Ibis spells them.
    """
    at = datetime(year, 3, 29, 1, 59, 59, 500_000, UTC)
    connection = duckdb.connect(threads=1)
    rows = connection.create_table("moments", pa.table({"at": pa.array([at])}), temp=True)
    seconds = rows.select(seconds=rows.at.epoch_seconds().cast("float64"))
    found = seconds.to_pyarrow()["seconds"].to_pylist()
    asked = duckdb.spelled(ibis.table(rows.schema(), name="t").at.epoch_seconds().as_table())
    connection.disconnect()

    assert [at.timestamp()] == found
    assert "TIMESTAMP" not in asked
