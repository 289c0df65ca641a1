"""The reference says what the code says."""

from pathlib import Path

import pytest

from tools import reference


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    return tmp_path / "reference"


def test_written(folder: Path) -> None:
    """What was just written is what the code says."""
    assert [0, 0] == [reference.main([]), reference.main(["--check"])]


def test_stale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that says something else is named, and left as it is by a mere check."""
    reference.main([])
    (folder / "errors.md").write_text("old")

    status = reference.main(["--check"])

    assert (
        1,
        "reference: not what the code says: errors.md. Run `make reference`.\n",
        "old",
    ) == (status, capsys.readouterr().out, (folder / "errors.md").read_text())


def test_pages() -> None:
    """Commands, settings, indicators and errors are told by name and meaning."""
    pages = reference.pages()

    assert "`aftersend init [DIR]`" in pages["commands.md"]
    assert "| `port` | integer, 1 to 65535 | `8081` |" in pages["settings.md"]
    assert "| `recipient_open` | Distinct opens |" in pages["indicators.md"]
    assert "| `NotFound` | There is no such thing. |" in pages["errors.md"]
