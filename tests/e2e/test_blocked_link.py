"""The kill switch as people use it: a link is stopped while the message is in people's hands."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.app import embedded_collector, init, open_instance, run_workflow
from aftersend.audience.browser import Browser, Visitor
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.model.logline import BLOCKED, PLAIN
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SystemEntropy
from aftersend.reports import tracking_indicators
from aftersend.reports.scope import Scope
from tests.support.command import aftersend

pytestmark = pytest.mark.heavy

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
HTML = '<p><a href="https://shop.example/lamps">Lamps</a> <a href="https://x.example/">X</a></p>'


def test_a_link_is_stopped_and_let_through_again(tmp_path: Path) -> None:
    """410 and no way on while it is blocked, 302 before and after; every click is in the logs.

    A click on a blocked link counts, as one on an expired link does: somebody reacted.
    """
    instance = tmp_path / "instance"
    init(instance, entropy=SystemEntropy())
    clock = ManualClock(START)
    opened = open_instance(instance, clock=clock)
    people = tmp_path / "people.csv"
    people.write_text("email,first_name\nada@x.example,Ada\n")
    import_recipients(opened.database, people, clock=clock)
    with Post(opened) as post:
        number, (letter,) = post.send(Draft("Lamps", "News <news@b.example>", "Hello", HTML))
    change = ("delivery", "urls", str(number))
    ada, answers = Visitor("Mozilla/5.0"), []
    with embedded_collector(opened) as base_url, Browser(base_url) as browser:
        shop = next(
            url["id"]
            for url in aftersend(instance, *change, "--json").document
            if url["label"] == "Lamps"
        )
        for switch in ((), ("--block",), ("--unblock",)):
            if switch:
                outcome = aftersend(instance, *change, "--set", str(shop), *switch, "--json")
                assert outcome.status == 0
                blocked = [url["id"] for url in outcome.document if url["blocked"]]
                assert blocked == ([shop] if switch == ("--block",) else [])
            clock.advance(5)
            answers.append(browser.ask(ada, letter.links[0]))
            clock.advance(5)  # two links at once would be a burst
            assert browser.ask(ada, letter.links[1]).status_code == 302
    run_workflow(opened, "tracking").check()
    logs = aftersend(instance, "delivery", "logs", str(number), "--json").document
    found = tracking_indicators.report(opened.database, opened.lake(), Scope([number]))
    engine = duckdb.connect()
    flags = hits(engine, opened.lake()).flags.to_pyarrow().to_pylist()
    engine.disconnect()

    assert [each.status_code for each in answers] == [302, 410, 302]
    assert "location" not in answers[1].headers
    assert "stopped by its sender" in answers[1].text
    assert answers[2].headers["location"] == "https://shop.example/lamps"
    assert [log["label"] for log in logs].count("Lamps") == 3
    assert sorted(flags) == [*[PLAIN] * 5, BLOCKED]
    assert found.indicators["total_recipient_click"].value == 6
    refused = aftersend(instance, *change, "--set", "1", "--block")
    assert (refused.status, refused.out) == (1, "")
    assert "The open pixel cannot be blocked" in refused.err
