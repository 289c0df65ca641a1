"""Structured logs."""

import json
from collections.abc import Iterator

import pytest
import structlog

from aftersend.platform import telemetry


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """Leave the configuration as it was found."""
    yield
    structlog.reset_defaults()


def test_machines_read_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A log line carries its part, level, time and what was told, on standard error only."""
    telemetry.configure(is_json=True)
    telemetry.logger("spool").warning("segment removed unread", segment="0x1", lines=3)
    captured = capsys.readouterr()
    line = json.loads(captured.err)

    assert captured.out == ""
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "segment removed unread",
        "level": "warning",
        "lines": 3,
        "part": "spool",
        "segment": "0x1",
    }


def test_people_read_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Without colours where nobody can see them."""
    telemetry.configure()
    telemetry.logger("spool").error("disk full")

    assert "disk full" in capsys.readouterr().err


def test_the_places_of_an_error_are_told_without_its_sentence() -> None:
    """The sentence of an error may quote a stranger: `int` does."""
    try:
        int("ada@x.example")
    except ValueError as error:
        told = telemetry.where(error)

    (place,) = told
    assert place.startswith("test_telemetry.py:")
    assert place.endswith(" test_the_places_of_an_error_are_told_without_its_sentence")
