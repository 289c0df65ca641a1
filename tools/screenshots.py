"""Take the pictures of the documents from a running demo: ``python -m tools.screenshots``.

The demo is made from a seed: apart from its dates, pictures change only when the pages do.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page, ViewportSize, sync_playwright

__all__ = ["main"]

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "images"
SIZE: Final = ViewportSize(width=1280, height=960)
PICTURES: Final[Mapping[str, str]] = {
    "tracking-indicators.png": "/deliveries/1/tracking",
    "tracking-logs.png": "/deliveries/1/tracking/logs",
}

_ADDRESS: Final = re.compile(r"^Pages\s+(?P<url>\S+)$")
_LOG_IN: Final = re.compile(r"^Log in as\s+(?P<name>\S+), password (?P<password>\S+)$")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs, and how to log in."""

    url: str
    name: str
    password: str


def main() -> int:
    """Take every picture again."""
    chromium = which("chromium")
    if chromium is None:
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _demo() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE, device_scale_factor=1)
        _log_in(page, demo)
        for name, path in PICTURES.items():
            page.goto(f"{demo.url}{path}", wait_until="networkidle")
            page.screenshot(path=FOLDER / name, animations="disabled")
            print(f"docs/images/{name}")
        browser.close()
    return 0


@contextmanager
def _demo() -> Iterator[Demo]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "aftersend", "demo", "--instance", f"{folder}/demo"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            yield _read(process)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _read(process: subprocess.Popen[str]) -> Demo:
    """Wait until the demo has told where it is."""
    assert process.stderr is not None, "we asked for a pipe"
    url = ""
    for line in process.stderr:
        if match := _ADDRESS.match(line.rstrip()):
            url = match["url"]
        if match := _LOG_IN.match(line.rstrip()):
            return Demo(url, match["name"], match["password"])
    raise RuntimeError("The demo ended before it told its address.")


def _log_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/login")
    page.fill("input[name=name]", demo.name)
    page.fill("input[name=password]", demo.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


if __name__ == "__main__":
    sys.exit(main())
