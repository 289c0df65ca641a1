"""The engine inside the process: bounded, and in UTC."""

from pathlib import Path

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
