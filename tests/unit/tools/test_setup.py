"""Installing: done once, again when something changes, and clear when it cannot be done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup
from tools.setup import Checkout, SetupError, Step

ROOT = Path(__file__).parents[3]


class Made:
    """A step that counts how often it is installed."""

    def __init__(self, root: Path) -> None:
        self.checkout = Checkout(root)
        self.source = root / "lock"
        self.product = root / "product"
        self.count = 0
        self.source.write_text("1")

    def ensure(self, *, is_forced: bool = False) -> int:
        """Ask for the step and tell how often it has been installed so far."""
        step = Step("made", [self.source], [self.product], self._install)
        setup.ensure(self.checkout, step, is_forced=is_forced)
        return self.count

    def _install(self, checkout: Checkout) -> None:
        self.count += 1
        self.product.write_text("made")


@pytest.fixture(name="made")
def _made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_once(made: Made) -> None:
    """What is installed is not installed again."""
    assert [1, 1] == [made.ensure(), made.ensure()]


def test_changed_source(made: Made) -> None:
    """A changed lock file installs again."""
    made.ensure()
    made.source.write_text("2")

    assert 2 == made.ensure()


def test_missing_product(made: Made) -> None:
    """A product that somebody deleted is made again."""
    made.ensure()
    made.product.unlink()

    assert 2 == made.ensure()


def test_other_place(made: Made, tmp_path: Path) -> None:
    """A copied checkout installs again: scripts hold absolute paths."""
    made.ensure()
    copy = tmp_path / "copy"
    made.checkout.stamps.parent.rename(tmp_path / "stamps")
    copy.mkdir()
    (tmp_path / "stamps").rename(copy / ".tools")
    made.checkout = Checkout(copy)

    assert 2 == made.ensure()


def test_forced(made: Made) -> None:
    """`make assets` installs again what looks installed."""
    made.ensure()

    assert 2 == made.ensure(is_forced=True)


def test_without_product(made: Made) -> None:
    """An installation that makes nothing is an error, and leaves no stamp."""
    step = Step("made", [made.source], [made.product], lambda _: None)

    with pytest.raises(SetupError, match="product is missing after the installation"):
        setup.ensure(made.checkout, step)

    assert not (made.checkout.stamps / "made").exists()


def test_moved(tmp_path: Path) -> None:
    """An environment whose scripts start another place is not ours."""
    script = tmp_path / ".venv" / "bin" / "aftersend"
    script.parent.mkdir(parents=True)
    script.write_text("#!/elsewhere/.venv/bin/python\n")

    before = setup.is_moved(tmp_path / ".venv", "aftersend")
    script.write_text(f"#!{tmp_path}/.venv/bin/python\n")

    assert [True, False] == [before, setup.is_moved(tmp_path / ".venv", "aftersend")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("uv 0.13.8 (x86_64)", (0, 13)), ("v24.19.0", (24, 19)), ("who knows", (0,))],
)
def test_version(tmp_path: Path, answer: str, expected: tuple[int, ...]) -> None:
    """A program's version is the first one that it names."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)

    assert expected == setup.version_of(str(program))


def test_version_of_nothing(tmp_path: Path) -> None:
    """A program that does not start has no version that is new enough."""
    assert (0,) == setup.version_of(str(tmp_path / "none"))


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not install Debian packages is told what to ask for."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SetupError) as caught:
        setup.install_debian(["nginx", "wrk"], purpose="the tests drive them")

    assert (
        "Missing: nginx wrk (the tests drive them). "
        "Install it, on Debian as root: apt-get install nginx wrk"
    ) == str(caught.value)


def test_services_stay_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons are forbidden while packages are installed, and only then."""
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(setup, "POLICY", policy)

    with setup.services_stay_down():
        status = subprocess.run([str(policy)], check=False).returncode

    assert (101, False) == (status, policy.exists())


def test_policy_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that the machine has already is left alone."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    monkeypatch.setattr(setup, "POLICY", policy)

    with setup.services_stay_down():
        pass

    assert "theirs" == policy.read_text()


def test_environment() -> None:
    """What a person has set wins; what would lead out of the checkout is dropped."""
    given = {"VIRTUAL_ENV": "/elsewhere", "UV_SYSTEM_CERTS": "0", "LANG": "C"}

    environment = setup.environment_for(given)

    assert ("0", "never", "C", False) == (
        environment["UV_SYSTEM_CERTS"],
        environment["UV_PYTHON_DOWNLOADS"],
        environment["LANG"],
        "VIRTUAL_ENV" in environment,
    )


def test_wrong_usage() -> None:
    """An unknown step is wrong usage."""
    script = ROOT / "tools" / "setup.py"

    result = subprocess.run(
        [sys.executable, str(script), "everything"], capture_output=True, text=True, check=False
    )

    assert (2, "setup: There is no step everything: say run, assets or tests.\n") == (
        result.returncode,
        result.stderr,
    )


def test_lock_names_no_address() -> None:
    """The lock file of npm names packages and their digests, not where they come from."""
    lock = (ROOT / "frontend" / "package-lock.json").read_text()

    assert "resolved" not in lock
