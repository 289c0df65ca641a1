"""The settings file."""

from pathlib import Path

import pytest

from aftersend import settings
from aftersend.app import init
from aftersend.errors import InvalidInput, InvalidSettings
from aftersend.platform.entropy import SeededEntropy


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """Give a fresh instance."""
    init(tmp_path / "i", entropy=SeededEntropy(1))
    return tmp_path / "i"


def _append(instance: Path, text: str) -> None:
    file = instance / settings.FILE_NAME
    file.write_text(file.read_text() + text)


def test_a_fresh_instance_has_secrets_of_its_own(tmp_path: Path) -> None:
    """Two instances share no secret, and their file is for the owner alone."""
    for name, seed in (("a", 1), ("b", 2)):
        init(tmp_path / name, entropy=SeededEntropy(seed))
    first, second = (settings.load(tmp_path / name) for name in "ab")

    assert first.keys != second.keys
    assert first.collector.password != second.collector.password
    assert first.web.secret != second.web.secret
    assert (tmp_path / "a" / settings.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_an_instance_is_never_made_twice(instance: Path) -> None:
    """A second init leaves the first instance as it is and says so."""
    before = (instance / settings.FILE_NAME).read_bytes()

    with pytest.raises(InvalidInput, match="is an instance already"):
        init(instance, entropy=SeededEntropy(2))

    assert (instance / settings.FILE_NAME).read_bytes() == before


def test_a_folder_without_settings_is_no_instance(tmp_path: Path) -> None:
    """The sentence says how to make one."""
    with pytest.raises(InvalidSettings, match="aftersend init"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n[spool]\nkeep_day = 3\n", "spool.keep_day"),
        ("\n[spool]\nkeep_days = 0\n", "spool.keep_days"),
        ("\n[tracking\n", "cannot be read"),
        ("\n[lake]\nurl = 3\n", "lake.url"),
    ],
)
def test_a_wrong_setting_is_named(instance: Path, text: str, sentence: str) -> None:
    """Misspelt, out of bounds or unreadable: the sentence names the place."""
    _append(instance, text)

    with pytest.raises(InvalidSettings, match=sentence):
        settings.load(instance)


def test_the_environment_wins_over_the_file(
    instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value from the environment replaces the one of the file, others stay."""
    _append(instance, "\n[tracking]\nlease_s = 20\n")
    monkeypatch.setenv("AFTERSEND_TRACKING__LEASE_S", "40")
    monkeypatch.setenv("AFTERSEND_COLLECTOR__PORT", "9001")

    loaded = settings.load(instance)

    assert loaded.tracking.lease_s == 40
    assert loaded.collector.port == 9001
    assert len(loaded.collector.password) == 32
