"""Check the house rules that no linter knows: ``python -m tools.tidy``.

=================  =================================================================================
rule               says
=================  =================================================================================
``file-length``    a Python file has at most 450 lines
``function-size``  a function has at most 60 lines
``ratchet``        what is allowed to be larger may only shrink
``todo``           work that is left stands in an issue, not in a comment
``registry``       package registries are named in `uv.lock` alone
``machine-path``   no path of somebody's machine
``bytes``          text is UTF-8 without control characters and ends with one line feed
``title``          a document has one title
``unused``         every file is used by another one
=================  =================================================================================

Every problem is one line, ``path:line: rule: what``. The exit status is 1 when there is one.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["FILE_LINES_MAX", "FUNCTION_LINES_MAX", "RATCHET", "Problem", "check", "main"]

FILE_LINES_MAX: Final = 450
FUNCTION_LINES_MAX: Final = 60
FILE_BYTES_MAX: Final = 1024 * 1024

# ``path`` or ``path::function`` → lines it may have. Lower a number when you can, never raise one.
RATCHET: Final[Mapping[str, int]] = {}

_BINARY: Final = frozenset({".png", ".gif", ".ico", ".woff2", ".gz", ".parquet"})
_AS_GIVEN: Final = (
    "LICENSE", "uv.lock", "frontend/package-lock.json", "tests/data/", "tests/golden/",
)  # fmt: skip
_LEFT: Final = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")  # does not find itself
_REGISTRY: Final = re.compile(
    r"\b(?:registry|deb|packages|mirrors?|pypi)\.[a-z0-9-]+\.(?:org|com|net|io)"
)
_LOCKED_HOST: Final = re.compile(r'https://([^/"]+)')
_MACHINE: Final = re.compile(r"(?<![\w.<>}/~-])/(?:root|work|home/\w+)/")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TITLE: Final = re.compile(r"^# ", re.MULTILINE)
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)

# Files that a tool or a person finds by their name or place.
_KNOWN_BY_NAME: Final = frozenset(
    {
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "NOTICE",
        "README.md",
        "__init__.py",
        "__main__.py",
        "conftest.py",
        "package-lock.json",
        "package.json",
        "py.typed",
        "pyproject.toml",
        "uv.lock",
    }
)
_KNOWN_BY_PLACE: Final = (
    ".ci/*",
    "changelog.d/*",
    "docs/adr/[0-9]*.md",
    "src/aftersend/database/migrations/*",
    "tests/*test_*.py",
    "tests/data/*",
    "tests/golden/*",
)  # fmt: skip

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One broken rule; line 0 means the whole file."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        """Spell the problem as editors and people read it."""
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def main() -> int:
    """Check the working copy that we stand in and print its problems."""
    root = Path.cwd()
    files = {path: (root / path).read_bytes() for path in _listed(root)}
    problems = sorted(check(files))
    for problem in problems:
        print(problem)
    print(f"tidy: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


def check(files: Mapping[str, bytes], ratchet: Mapping[str, int] = RATCHET) -> Iterator[Problem]:
    """Yield every problem of `files`, given as path from the root → bytes."""
    texts: dict[str, str] = {}
    for path, raw in files.items():
        if len(raw) > FILE_BYTES_MAX:
            yield Problem(path, 0, "bytes", f"more than {FILE_BYTES_MAX} bytes")
        if PurePosixPath(path).suffix in _BINARY:
            continue
        try:
            texts[path] = raw.decode()
        except UnicodeDecodeError:
            yield Problem(path, 0, "bytes", "not UTF-8")
    registry = _registry_pattern(texts.get("uv.lock", ""))
    for path, text in texts.items():
        if not path.startswith(_AS_GIVEN):
            yield from _check_text(path, text)
        if path != "uv.lock":
            yield from _found(path, text, "registry", registry)
        if path.endswith(".py"):
            yield from _check_sizes(path, text, ratchet)
        if path.endswith(".md") and not path.startswith("changelog.d/"):
            yield from _check_title(path, text)
    yield from _forgotten(texts, ratchet)
    yield from _unused(texts, files)


def _listed(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return sorted(path for path in answer.stdout.split("\0") if (root / path).is_file() and path)


def _registry_pattern(lock: str) -> re.Pattern[str]:
    hosts = sorted(set(_LOCKED_HOST.findall(lock)))
    return re.compile("|".join([_REGISTRY.pattern, *map(re.escape, hosts)]))


def _check_text(path: str, text: str) -> Iterator[Problem]:
    if text and not text.endswith("\n"):
        yield Problem(path, text.count("\n") + 1, "bytes", "no line feed at the end")
    if text.endswith("\n\n"):
        yield Problem(path, text.count("\n"), "bytes", "empty lines at the end")
    allowed = "\t" if path == "Makefile" else ""
    yield from _found(path, text.replace("\t", allowed), "bytes", _CONTROL)
    yield from _found(path, text, "todo", _LEFT)
    yield from _found(path, text, "machine-path", _MACHINE)


def _check_title(path: str, text: str) -> Iterator[Problem]:
    if len(_TITLE.findall(_FENCE.sub("", text))) != 1:
        yield Problem(path, 0, "title", "not exactly one line that begins with '# '")


def _found(path: str, text: str, rule: str, pattern: re.Pattern[str]) -> Iterator[Problem]:
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Problem(path, line, rule, repr(match[0]))


def _check_sizes(path: str, text: str, ratchet: Mapping[str, int]) -> Iterator[Problem]:
    sizes = {path: (1, text.count("\n"), FILE_LINES_MAX)}
    for name, node in _functions(ast.parse(text), ""):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = (node.end_lineno or first) - first + 1
        sizes[f"{path}::{name}"] = (first, lines, FUNCTION_LINES_MAX)
    for name, (line, lines, limit) in sizes.items():
        allowed = ratchet.get(name)
        rule = "function-size" if "::" in name else "file-length"
        if allowed is None and lines > limit:
            yield Problem(path, line, rule, f"{name} has {lines} lines, at most {limit}")
        if allowed is not None and lines > allowed:
            yield Problem(path, line, "ratchet", f"{name} grew from {allowed} to {lines} lines")
        if allowed is not None and lines < allowed:
            todo = f"set it to {lines}" if lines > limit else "take it out"
            yield Problem(path, line, "ratchet", f"{name} shrank: {todo} in RATCHET")


def _forgotten(texts: Mapping[str, str], ratchet: Mapping[str, int]) -> Iterator[Problem]:
    for name in ratchet:
        path, _, function = name.partition("::")
        names = {found for found, _ in _functions(ast.parse(texts.get(path, "")), "")}
        if path not in texts or (function and function not in names):
            yield Problem(path, 0, "ratchet", f"{name} is gone: take it out of RATCHET")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield name, child
            yield from _functions(child, f"{name}.")
        else:
            yield from _functions(child, prefix)


def _unused(texts: Mapping[str, str], paths: Iterable[str]) -> Iterator[Problem]:
    sources = {path: text for path, text in texts.items() if not path.startswith(_AS_GIVEN)}
    imported = {path: _imports(path, text) for path, text in sources.items()}
    for path in paths:
        pure = PurePosixPath(path)
        if pure.name in _KNOWN_BY_NAME or any(
            fnmatchcase(path, place) for place in _KNOWN_BY_PLACE
        ):
            continue
        others = {other: text for other, text in sources.items() if other != path}
        if path.startswith("src/"):  # what only tests use is dead
            others = {other: text for other, text in others.items() if not _is_test(other)}
        module = ".".join(pure.with_suffix("").parts).removeprefix("src.")
        is_imported = any(module in imported[other] for other in others)
        if not is_imported and not any(_mentions(text, pure, module) for text in others.values()):
            yield Problem(path, 0, "unused", "no other file imports or names it")


def _is_test(path: str) -> bool:
    return path.startswith(("tests/", "docs/", "changelog.d/"))


def _imports(path: str, text: str) -> set[str]:
    if not path.endswith(".py"):
        return set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _mentions(text: str, path: PurePosixPath, module: str) -> bool:
    if path.suffix == ".py":
        return module in text or str(path) in text
    folder = path.parent.name
    return path.name in text or f'"{path.stem}"' in text or f'"{folder}"' in text


if __name__ == "__main__":
    sys.exit(main())
