"""The rules about machines as data: what they are called, which user agents meet one."""

from dataclasses import replace

import pytest

from aftersend.lake.machines import Rules, agent_rule, described, edition, scanner_networks
from aftersend.settings import MachineSettings

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
INSTAGRAM = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML,"
    " like Gecko) Version/4.0 Chrome/121.0.6167.178 Mobile Safari/537.36 Instagram 320.0.0.42.101"
    " Android (34/14; 420dpi; 1080x2161; Google/google; Pixel 8; shiba; shiba; en_US; 571870236)"
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GOOGLE, "proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "proxy"),
        (f"{CHROME} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0", "gmail-prefetch"),
        ("Mozilla/5.0", "apple-privacy"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15", ""),
        (INSTAGRAM, ""),
        (f"{INSTAGRAM} Googlebot/2.1", ""),
        ("Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ BingPreview/1.0b", "crawler"),
        ("WhatsApp/2.23.20.0 A", "crawler"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "crawler"),
        ("Slack-ImgProxy (+https://api.slack.com/robots)", "crawler"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "crawler"),
        ("curl/8.0", "crawler"),
        (f"{CHROME} Chrome/120.0.0.0 Safari/537.36", ""),
        ("", ""),
    ],
)
def test_e1_e2_e3_e10_e11_user_agents_meet_the_rule_they_should(text: str, rule: str) -> None:
    """Proxies and browsers that look like robots win over the list of crawlers.

    Killed by: asking the list of crawlers first, which has GoogleImageProxy.
    """
    assert rule == agent_rule(text)


def test_an_allowed_user_agent_is_no_machine() -> None:
    """In any case of letters; a proxy stays what it is."""
    assert "" == agent_rule("Corporate-Curl curl/8.0", ["CORPORATE"])
    assert "" == agent_rule("curl/8.0", ["curl"])
    assert "proxy" == agent_rule(GOOGLE, ["ggpht"])


def test_every_rule_can_be_explained() -> None:
    """A label, a sentence and a source for each; seeds and repeats are no machines."""
    rules = described()

    assert all(rule.label and rule.source and rule.reason.endswith(".") for rule in rules.values())
    assert ("human", "repeat") == (rules["seed"].verdict, rules["open-repeat"].verdict)
    assert ("machine", "suspect") == (rules["burst"].verdict, rules["probe"].verdict)
    assert edition() == "2026-11-21"


def test_the_networks_are_not_those_of_whole_clouds() -> None:
    """No range is larger than a quarter of a million addresses; each has its vendor."""
    networks = scanner_networks()

    assert all(networks.values())
    assert max(one.num_addresses for one in networks if one.version == 4) <= 2**18


@pytest.mark.parametrize(
    "change",
    [
        {"burst_s": 2.0},
        {"burst_open_s": 61},
        {"honeypot_s": 11},
        {"probe_s": 11},
        {"open_repeat_s": 61},
        {"off": frozenset({"burst"})},
        {"allow_networks": ("192.0.2.0/24",)},
        {"allow_agents": ("curl",)},
    ],
)
def test_an_edition_changes_with_whatever_may_change_a_verdict(change: dict[str, object]) -> None:
    """But with no user agent that becomes known: its hits are new, too."""
    usual = Rules()

    assert replace(usual, **change).edition != usual.edition  # type: ignore[arg-type]
    assert replace(usual, agents={"crawler": {1}}).edition == usual.edition
    assert Rules.of(MachineSettings()) == usual
