"""What documents promise exists: links, files, commands, options, settings, make targets."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import typer.main

from aftersend.cli.main import root as command_root
from aftersend.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changelog.d/README.md")]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:src|tools|tests|docs|bench|frontend|changelog\.d)/[\w./-]*")
PARTS = sorted(path.name for path in (ROOT / "src" / "aftersend").iterdir() if path.is_dir())
SOURCE = re.compile(rf"(?:{'|'.join(PARTS)})/(?:\w+\.py)?")
SECTIONS = {
    name: set(getattr(field.annotation, "model_fields", ())) or None
    for name, field in Settings.model_fields.items()
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def _inline(text: str) -> list[str]:
    return CODE.findall(FENCE.sub("", text))


def _shell_lines(text: str) -> Iterator[str]:
    for language, body in FENCE.findall(text):
        if language in {"sh", "console"}:
            joined = body.replace("\\\n", " ")
            yield from (line.removeprefix("$ ").strip() for line in joined.splitlines())


def _commands(text: str, program: str) -> Iterator[list[str]]:
    """Yield the words behind `program` wherever the document tells people to type it."""
    for line in [*_shell_lines(text), *_inline(text)]:
        for piece in re.split(r"[|;]|&&", line):
            words = shlex.split(piece, comments=True)
            if words and words[0].removeprefix(".venv/bin/") == program:
                yield words[1:]


def _problem(words: list[str]) -> str | None:
    """Tell what is wrong with a command line of ours, following it as the program would."""
    command = typer.main.get_command(command_root)
    options = {name for param in command.params for name in param.opts}
    for word in takewhile(lambda word: word not in {"…", "..."}, words):
        if word.startswith("-") and word != "-":
            options |= {name for param in command.params for name in param.opts}
            options |= {name for param in command.params for name in param.secondary_opts}
            if word.partition("=")[0] not in options | {"--help", "-h"}:
                return f"no option {word}"
        elif subcommands := getattr(command, "commands", {}):
            if word not in subcommands:
                return f"no command {word}"
            command = subcommands[word]
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links(path: Path) -> None:
    """A link inside the project leads to a file, and its anchor to a heading."""
    missing = []
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        place, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = path.parent / place if place else path
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text())):
            missing.append(link)

    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_files(path: Path) -> None:
    """A file that is named exists."""
    made = ("bench/results", "src/aftersend/web/static/vendor")
    codes = _inline(path.read_text())
    named = [code for code in codes if FILE.fullmatch(code) and not code.startswith(made)]
    named += [f"src/aftersend/{code}" for code in codes if SOURCE.fullmatch(code)]

    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_commands(path: Path) -> None:
    """A command that people are told to type exists, with its options."""
    problems = {
        " ".join(words): problem
        for words in _commands(path.read_text(), "aftersend")
        if (problem := _problem(words))
    }

    assert problems == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_make(path: Path) -> None:
    """A make target that is named exists."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for words in _commands(path.read_text(), "make")
        for word in words
        if "=" not in word and word != "…"
    }

    assert named - targets == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_settings(path: Path) -> None:
    """A setting that is named as `section.name` exists."""
    wrong = []
    for code in _inline(path.read_text()):
        section, _, name = code.partition(".")
        names = SECTIONS.get(section)
        if names and re.fullmatch(r"[a-z_]+", name) and name not in names | {"toml", "py"}:
            wrong.append(code)

    assert wrong == []


def test_all_commands() -> None:
    """Every command is in the guide or the reference."""
    text = " ".join(
        " ".join(words)
        for path in (ROOT / "docs").glob("**/*.md")
        for words in _commands(path.read_text(), "aftersend")
    )

    assert [
        name for name in _names(typer.main.get_command(command_root), "") if name not in text
    ] == []


def _names(command: object, prefix: str) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield prefix.strip()
    for name, subcommand in subcommands.items():
        yield from _names(subcommand, f"{prefix} {name}")
