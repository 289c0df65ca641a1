"""Take the pictures of the documents from a running demo: ``python -m tools.screenshots``.

The demo is made from a seed: apart from its dates, pictures change only when the pages do.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import Page, ViewportSize, sync_playwright

from aftersend.audience.campaign import SENDER, campaign

__all__ = ["main"]

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "images"
SIZE: Final = ViewportSize(width=1280, height=960)
_NUMBER: Final = 2  # of the made-up message that is prepared


@dataclass(frozen=True, slots=True)
class Picture:
    """A page, maybe of the message that is being prepared, and the link to press on it first."""

    path: str
    press: str = ""


PICTURES: Final[Mapping[str, Picture]] = {
    "content.png": Picture("/deliveries/{prepared}/content"),
    "links.png": Picture("/deliveries/{prepared}/links", "shop.example/new"),
    "tracking-indicators.png": Picture("/deliveries/1/tracking"),
    "tracking-logs.png": Picture("/deliveries/1/tracking/logs"),
    "tracking-servers.png": Picture("/tracking-servers"),
    "web-tag.png": Picture("/web-tags", "Order"),
    "why.png": Picture("/deliveries/1/tracking/logs?verdict=machine", "Machine"),
    "workflow.png": Picture("/workflows/tracking"),
}

_ADDRESS: Final = re.compile(r"^Pages\s+(?P<url>\S+)$")
_LOG_IN: Final = re.compile(r"^Log in as\s+(?P<name>\S+), password (?P<password>\S+)$")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs, where, and how to log in."""

    instance: Path
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
        prepared = _prepare(demo)
        for name, picture in PICTURES.items():
            path = picture.path.format(prepared=prepared)
            page.goto(f"{demo.url}{path}", wait_until="networkidle")
            if picture.press:
                page.get_by_role("link", name=picture.press).first.click()
                page.wait_for_load_state("networkidle")
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
            yield _read(process, Path(folder, "demo"))
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _read(process: subprocess.Popen[str], instance: Path) -> Demo:
    """Wait until the demo has told where it is."""
    assert process.stderr is not None, "we asked for a pipe"
    url = ""
    for line in process.stderr:
        if match := _ADDRESS.match(line.rstrip()):
            url = match["url"]
        if match := _LOG_IN.match(line.rstrip()):
            return Demo(instance, url, match["name"], match["password"])
    raise RuntimeError("The demo ended before it told its address.")


def _prepare(demo: Demo) -> int:
    """Make a message that was analysed and not sent; give its number."""
    story = campaign(_NUMBER)
    parts = {"html": story.html, "text": story.text}
    options = ["--label", story.label, "--sender", SENDER, "--subject", story.subject]
    for name, content in parts.items():
        file = demo.instance.with_name(f"message.{name}")
        file.write_text(content)
        options += [f"--{name}", str(file)]
    number: int = _aftersend(demo, "create", *options)["id"]
    _aftersend(demo, "analyse", str(number))
    _run(demo, "tag", "add", "--id", "order", "--label", "Order", "--type", "transaction")
    return number


def _aftersend(demo: Demo, command: str, *arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run(demo, "delivery", command, *arguments, "--json"))
    return answer


def _run(demo: Demo, *arguments: str) -> bytes:
    command = [sys.executable, "-m", "aftersend", *arguments, "--instance", str(demo.instance)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def _log_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/login")
    page.fill("input[name=name]", demo.name)
    page.fill("input[name=password]", demo.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


if __name__ == "__main__":
    sys.exit(main())
