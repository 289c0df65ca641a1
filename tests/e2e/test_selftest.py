"""The published example on the real road."""

import pytest

from tests.support.command import aftersend


@pytest.mark.heavy
def test_every_published_figure_comes_out() -> None:
    """Four messages by SMTP, 19 requests over HTTP, one run: all figures of spec §7.3, exit 0."""
    outcome = aftersend(None, "selftest", "--json")

    assert outcome.status == 0
    assert outcome.document["ok"] is True
    figures = {check["name"]: check["got"] for check in outcome.document["checks"]}
    assert figures["person_click"] == 6
    assert figures["total_recipient_click rate"] == 3.75
    assert all(check["ok"] for check in outcome.document["checks"])
