"""Reading files of the folder for included files."""

import os
from pathlib import Path

import pytest

from aftersend.delivery.fetch import read_below
from aftersend.errors import InvalidInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with some files, and others outside of it."""
    folder = tmp_path / "include"
    (folder / "de").mkdir(parents=True)
    (folder / "footer.html").write_text("<hr>", encoding="utf-8")
    (folder / "de" / "gruß.txt").write_text("\ufeffGrüße\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "long.txt").write_text("x" * 21)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "include-not").mkdir()
    (tmp_path / "include-not" / "a.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "away").symlink_to(tmp_path)
    (folder / "inside.txt").symlink_to(folder / "footer.html")
    (folder / "circle").symlink_to(folder / "circle")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("name", "text"),
    [("footer.html", "<hr>"), ("de/gruß.txt", "Grüße\n"), ("inside.txt", "<hr>")],
)
def test_a_file_of_the_folder_isread_page(folder: Path, name: str, text: str) -> None:
    """Files of the folder and below it are text in UTF-8."""
    assert read_below(folder, name, bytes_max=20) == text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../secret.txt", "is no file of the folder"),
        ("de/../footer.html", "is no file of the folder"),
        ("../include-not/a.txt", "is no file of the folder"),
        ("out.txt", "is no file of the folder"),
        ("away/secret.txt", "is no file of the folder"),
        ("/etc/passwd", "is no file of the folder"),
        ("de", "is no file of the folder"),
        ("", "is no file of the folder"),
        ("pipe", "is no file of the folder"),
        ("circle", "There is no file 'circle'"),
        ("missing.txt", "There is no file 'missing.txt'"),
        ("a\x00b", "There is no file"),
        ("n" * 5000, "There is no file"),
        ("latin.txt", "is not text in UTF-8"),
        ("long.txt", "has more than 20 bytes"),
    ],
)
def test_nothing_else_isread_page(folder: Path, name: str, sentence: str) -> None:
    """No way leads out of the folder, and what is no text is refused."""
    with pytest.raises(InvalidInput, match=sentence):
        read_below(folder, name, bytes_max=20)


def test_a_folder_has_to_be_there(tmp_path: Path) -> None:
    """Without a folder nothing is read, whatever it is called."""
    for folder in (None, tmp_path / "missing"):
        with pytest.raises(InvalidInput, match=r"'a\.txt'"):
            read_below(folder, "a.txt", bytes_max=20)
