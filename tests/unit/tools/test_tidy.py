"""The house rules that `tools.tidy` checks."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.tidy import FILE_LINES_MAX, FUNCTION_LINES_MAX, check

ROOT = Path(__file__).parents[3]
LOCK = b'source = { registry = "https://packages.lock.example/simple" }\n'


def _function(lines: int) -> bytes:
    return b"def f() -> None:\n" + b"    f()\n" * (lines - 1)


def _rules(files: Mapping[str, bytes], ratchet: Mapping[str, int] | None = None) -> set[str]:
    problems = check(files, ratchet or {})
    return {f"{problem.path}:{problem.line} {problem.rule}" for problem in problems}


@pytest.mark.parametrize(
    ("path", "raw", "expected"),
    [
        ("tests/test_a.py", b"x = 1\n" * FILE_LINES_MAX, None),
        ("tests/test_a.py", b"x = 1\n" * (FILE_LINES_MAX + 1), "1 file-length"),
        ("tests/test_a.py", _function(FUNCTION_LINES_MAX), None),
        ("tests/test_a.py", b"\n" + _function(FUNCTION_LINES_MAX + 1), "2 function-size"),
        ("tests/test_a.py", b"@f\n" + _function(FUNCTION_LINES_MAX), "1 function-size"),
        ("README.md", b"# A\n\nTO" + b"DO: more\n", "3 todo"),
        ("README.md", b"# A\n\ntodo lists\n", None),
        ("README.md", b"# A\n\nsee packages.lock.example\n", "3 registry"),
        ("README.md", b"# A\n\nsee registry" + b".npm.org/x\n", "3 registry"),
        ("README.md", b"# A\n\nsee the registry.\n", None),
        ("README.md", b"# A\n\ncd /home" + b"/ann/code\n", "3 machine-path"),
        ("README.md", b"# A\n\ncd https://x.example/work/y\n", None),
        ("README.md", b"# A\n\x07\n", "2 bytes"),
        ("README.md", b"# A", "1 bytes"),
        ("README.md", b"# A\n\n", "2 bytes"),
        ("README.md", b"# A\xff\n", "0 bytes"),
        ("README.md", b"# A\n\n# B\n", "0 title"),
        ("README.md", b"A\n", "0 title"),
        ("README.md", b"# A\n\n```sh\n# a comment\n```\n", None),
        ("Makefile", b"all:\n\ttrue\n", None),
    ],
)
def test_rule(path: str, raw: bytes, expected: str | None) -> None:
    """Each rule tells the line that breaks it and lets the limit itself pass."""
    problems = _rules({path: raw, "uv.lock": LOCK})

    assert ({f"{path}:{expected}"} if expected else set()) == problems


@pytest.mark.parametrize(
    ("lines", "allowed", "expected"),
    [
        (70, 70, set()),
        (71, 70, {"tests/test_a.py:1 ratchet"}),
        (69, 70, {"tests/test_a.py:1 ratchet"}),
        (30, 70, {"tests/test_a.py:1 ratchet"}),
    ],
)
def test_ratchet(lines: int, allowed: int, expected: set[str]) -> None:
    """What may be larger stays exactly as large as it is written down."""
    problems = _rules({"tests/test_a.py": _function(lines)}, {"tests/test_a.py::f": allowed})

    assert expected == problems


def test_ratchet_forgets() -> None:
    """An entry for a function that is gone is a problem."""
    problems = _rules({"tests/test_a.py": b"x = 1\n"}, {"tests/test_a.py::f": 70, "b.py": 500})

    assert {"tests/test_a.py:0 ratchet", "b.py:0 ratchet"} == problems


def test_unused_module() -> None:
    """A module that only tests import is dead; one that the product imports is not."""
    files = {
        "src/aftersend/__main__.py": b"from aftersend import alive\n",
        "src/aftersend/alive.py": b"x = 1\n",
        "src/aftersend/dead.py": b"x = 1\n",
        "tests/test_dead.py": b"from aftersend.dead import x\n",
    }

    assert {"src/aftersend/dead.py:0 unused"} == _rules(files)


def test_unused_file() -> None:
    """A file is used when another one names it."""
    files = {
        "src/aftersend/__main__.py": b'PAGE = "page.html"\n',
        "src/aftersend/pages/page.html": b"<p>\n",
        "src/aftersend/pages/old.html": b"<p>\n",
        "docs/images/a.png": b"\x89PNG",
        "README.md": b"# A\n\n![A](docs/images/a.png)\n",
    }

    assert {"src/aftersend/pages/old.html:0 unused"} == _rules(files)


def test_command(tmp_path: Path) -> None:
    """The command looks at what git would commit, and fails when there is a problem."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.md\n")
    (tmp_path / "ignored.md").write_text("A")
    (tmp_path / "README.md").write_text("# A")
    command = [sys.executable, "-m", "tools.tidy"]

    result = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip

    assert (1, "README.md:1: bytes: no line feed at the end\ntidy: 2 files, 1 problems\n") == (
        result.returncode,
        result.stdout,
    )
