"""Web visits from the page to the lake: real cookies, a real tag, the workflow."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from aftersend import app
from aftersend.app import Instance, open_instance, run_workflow
from aftersend.audience.letter import Letter
from aftersend.cli.post import Post
from aftersend.database import schema
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.platform.entropy import SystemEntropy
from aftersend.settings import FILE_NAME
from tests.support.running import comes_true, free_port, is_answered

pytestmark = pytest.mark.heavy

HTML = '<p><a href="https://shop.example/">Shop</a></p>'
_BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
ORDER = "/r/4567?tagid=order%7Ct%7CShop&amount=19.99&article=2&size=XL"


@contextmanager
def _collector(instance: Path) -> Iterator[str]:
    """Run the tracking server of an instance; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(instance)]
    process = subprocess.Popen([*command, "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        assert comes_true(lambda: is_answered(f"{url}/r/test"), 60)
        yield url
    finally:
        process.terminate()
        process.wait()


def _instance(folder: Path, mode: str) -> Instance:
    app.init(folder, entropy=SystemEntropy())
    with (folder / FILE_NAME).open("a") as file:
        file.write(f'\n[web_tracking]\nmode = "{mode}"\nis_visitor_tracked = true\n')
    return open_instance(folder)


def _send(opened: Instance) -> Letter:
    file = opened.var / "recipients.csv"
    file.write_text("email\nada@x.example\n")
    import_recipients(opened.database, file, clock=opened.clock)
    with Post(opened) as post:
        _, (letter,) = post.send(Draft("Shop", "A <a@b.example>", "Hello", HTML))
    return letter


def _visits(opened: Instance) -> list[dict[str, Any]]:
    connection = duckdb.connect(threads=1)
    try:
        rows = hits(connection, opened.lake()).order_by("log_id").to_pyarrow().to_pylist()
    finally:
        connection.disconnect()
    return [row for row in rows if row["url_type"] in (4, 5)]


def _figures(opened: Instance) -> dict[int, tuple[int, float, int]]:
    table = schema.delivery_indicator.c
    columns = (table.delivery_id, table.transaction, table.amount, table.article)
    with opened.database.read() as connection:
        rows = connection.execute(select(*columns)).all()
    return {row[0]: tuple(row[1:]) for row in rows if row.transaction}


def test_a_purchase_after_a_click_is_credited_to_the_message(tmp_path: Path) -> None:
    """Session mode: the cookie of the click says whose it is; without one there is no row."""
    opened = _instance(tmp_path / "home", "session")
    letter = _send(opened)

    with (
        _collector(tmp_path / "home") as url,
        httpx.Client(base_url=url, headers=_BROWSER) as browser,
    ):
        clicked = browser.get(letter.links[0])
        bought = browser.get(ORDER)
        httpx.get(url + ORDER)
        counts = run_workflow(opened, "tracking").counts

    [row] = _visits(opened)
    assert (302, 200) == (clicked.status_code, bought.status_code)
    assert (2, 2) == (counts.read, counts.loaded)
    assert (1, 1, 1, "0") == tuple(
        row[name] for name in ("delivery_id", "message_id", "recipient_id", "flags")
    )
    assert (5, 19.99, 2) == (row["url_type"], row["amount"], row["article"])
    assert "tagid=order%7Ct%7CShop&amount=19.99&article=2&size=XL" == row["parameters"]
    assert browser.cookies["uuid230"] == row["source_id"]
    assert {1: (1, 19.99, 2)} == _figures(opened)


def test_what_a_visitor_did_before_the_click_is_credited_to_it(tmp_path: Path) -> None:
    """Anonymous mode: nobody's at first; the message's, when the same browser clicks its link."""
    opened = _instance(tmp_path / "home", "anonymous-last")
    letter = _send(opened)

    with (
        _collector(tmp_path / "home") as url,
        httpx.Client(base_url=url, headers=_BROWSER) as browser,
    ):
        browser.get(ORDER)
        run_workflow(opened, "tracking")
        [before] = _visits(opened)
        figures_before = _figures(opened)
        clicked = browser.get(letter.links[0])
        run_workflow(opened, "tracking")

    [after] = _visits(opened)
    assert (0, 0, "0") == (before["message_id"], before["recipient_id"], before["flags"])
    assert {before["delivery_id"]: (1, 19.99, 2)} == figures_before
    assert 302 == clicked.status_code
    changed = {"delivery_id": 1, "message_id": 1, "recipient_id": 1, "flags": "a"}
    assert before | changed | {"domain": "x.example"} == after
    assert {1: (1, 19.99, 2)} == _figures(opened)
