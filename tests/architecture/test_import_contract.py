"""Each import contract of `pyproject.toml` is proved by an import that breaks it."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
LAYERS = next(name for name, contract in CONTRACTS.items() if contract["type"] == "layers")
BROKEN = {
    "A click touches no database": ("collector/bad.py", "import sqlalchemy"),
    "One module knows DuckDB": ("reports/bad.py", "import duckdb"),
    "The vocabulary needs nothing but the standard library": ("model/bad.py", "import structlog"),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A copy of the package that may be spoilt."""

    root: Path

    def add(self, files: Mapping[str, str]) -> None:
        """Append lines to files of the package; a file that is missing is made."""
        for path, line in files.items():
            with (self.root / "aftersend" / path).open("a") as file:
                file.write(f"\n{line}\n")

    def lint(self) -> str:
        """Run the linter on the copy and give its words."""
        linter = Path(sys.executable).parent / "lint-imports"
        result = subprocess.run(
            [str(linter), "--no-cache"],
            cwd=self.root,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
        )
        return " ".join((result.stdout + result.stderr).split())


@pytest.fixture(name="package")
def _package(tmp_path: Path) -> Package:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignore = shutil.ignore_patterns("__pycache__", "static", "templates")
    shutil.copytree(ROOT / "src" / "aftersend", tmp_path / "aftersend", ignore=ignore)
    return Package(tmp_path)


def test_kept(package: Package) -> None:
    """The package as it is keeps every contract."""
    words = package.lint()

    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in words, words


def test_all_proved() -> None:
    """No contract is without its proof."""
    assert set(CONTRACTS) - {LAYERS} == set(BROKEN)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken(package: Package, name: str) -> None:
    """A bad import breaks the contract that forbids it."""
    path, line = BROKEN[name]
    package.add({path: line})

    words = package.lint()

    assert f"{name} BROKEN" in words, words


def test_layers(package: Package) -> None:
    """An import of the next higher layer is found at every step, and one between neighbours."""
    rows = [row.split(" | ") for row in CONTRACTS[LAYERS]["layers"]]
    upward = [(lower[0], upper[0]) for upper, lower in pairwise(rows)]
    sideways = [(row[0], row[1]) for row in rows if len(row) > 1]
    for importer, imported in upward + sideways:
        is_package = (package.root / "aftersend" / importer).is_dir()
        path = f"{importer}/bad_{imported}.py" if is_package else f"{importer}.py"
        package.add({path: f"import aftersend.{imported}"})

    words = package.lint()

    missed = [
        f"{importer} → {imported}"
        for importer, imported in upward + sideways
        if f"aftersend.{importer} is not allowed to import aftersend.{imported}" not in words
    ]
    assert missed == [], words


def test_layers_are_all(package: Package) -> None:
    """A new part has no place until it is given one."""
    package.add({"new.py": ""})

    words = package.lint()

    assert f"{LAYERS} BROKEN" in words, words
