"""What the tracking test prints, and how it ends."""

from pathlib import Path

import pytest

from aftersend.delivery import tracking_test
from aftersend.delivery.tracking_test import Report, Row
from aftersend.model.ids import DeliveryId
from tests.support.command import aftersend

GOOD = Row("Open", "https://t.example/r/x.gif", "200 image/gif", "200 image/gif", is_ok=True)
BAD = Row("Email click", f"https://t.example/r/{'y' * 80}", "https://a.example", "404", is_ok=False)
TEST = ("delivery", "test-tracking", "1", "--email", "a@b.example")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance that knows a mail server."""
    made = tmp_path_factory.mktemp("test-tracking") / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    settings = made / "aftersend.toml"
    settings.write_text(settings.read_text().replace("[smtp]", '[smtp]\nhost = "127.0.0.1"'))
    return made


def _found(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> None:
    report = Report(DeliveryId(2), rows)
    monkeypatch.setattr(tracking_test, "run_tracking_test", lambda *_, **__: report)


def test_all_is_well(instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 0, and one JSON document with the fields of the contract."""
    _found(monkeypatch, GOOD)

    outcome = aftersend(instance, *TEST, "--json")

    assert outcome.status == 0
    assert outcome.document == {
        "ok": True,
        "delivery_id": 2,
        "rows": [
            {
                "what": "Open",
                "url": "https://t.example/r/x.gif",
                "expected": "200 image/gif",
                "got": "200 image/gif",
                "ok": True,
            }
        ],
    }


def test_one_wrong_row_fails_it(instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1; JSON has whole addresses, the table short ones."""
    _found(monkeypatch, GOOD, BAD)

    outcome = aftersend(instance, *TEST, "--json")
    shown = aftersend(instance, *TEST)

    assert (1, False) == (outcome.status, outcome.document["ok"])
    assert [BAD.url] == [row["url"] for row in outcome.document["rows"] if not row["ok"]]
    assert shown.status == 1
    assert BAD.url not in shown.out
    assert BAD.url[:50] in shown.out
    assert "1 of 2 things are as they should." in shown.out


def test_a_delivery_that_is_not_there(instance: Path) -> None:
    """One clear sentence, status 1."""
    outcome = aftersend(instance, *TEST)

    assert (1, "") == (outcome.status, outcome.out)
    assert outcome.err == "aftersend: There is no delivery 1.\n"
