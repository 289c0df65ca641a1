"""Files that survive a power cut."""

from pathlib import Path

import pytest

from aftersend.platform import files


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the path behind each descriptor that is synced."""
    paths: list[str] = []
    real = files.sync

    def sync(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(files, "sync", sync)
    return paths


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new bytes stand there with the asked mode, and nothing else is left behind."""
    path = tmp_path / "a.json"
    files.write_atomic(path, b"old")
    files.write_atomic(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk changes nothing, and the half-written file is gone."""
    path = tmp_path / "a.json"
    files.write_atomic(path, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomic(path, b"new")

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_bytes_are_durable_before_their_name_and_the_name_before_we_return(
    tmp_path: Path, synced: list[str]
) -> None:
    """First the file is synced, under its temporary name, then the folder."""
    files.write_atomic(tmp_path / "a.json", b"new")

    assert [Path(path).name.startswith(".a.json.") for path in synced] == [True, False]
    assert synced[-1] == str(tmp_path)


def test_new_folders_are_durable_one_by_one(tmp_path: Path, synced: list[str]) -> None:
    """Each new name is synced in its parent; a folder that exists costs nothing."""
    files.make_directory(tmp_path / "a" / "b")
    files.make_directory(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [str(tmp_path), str(tmp_path / "a")]


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    """No file is ever replaced by a folder."""
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(OSError, match="a"):
        files.make_directory(tmp_path / "a" / "b")


def test_a_folder_that_is_none_cannot_be_synced(tmp_path: Path) -> None:
    """A wrong path is told."""
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        files.sync_directory(tmp_path / "a")


def test_what_nobody_misses_is_replaced_without_a_sync(tmp_path: Path, synced: list[str]) -> None:
    """Readers see the old or the new, whole; nobody waits for the disk."""
    path = tmp_path / "a.json"
    files.replace(path, b"old")
    files.replace(path, b"new")

    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
    assert synced == []
