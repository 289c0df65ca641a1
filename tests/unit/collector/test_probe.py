"""Garbled tokens: who follows them with the good one is marked, and nobody else."""

import codecs
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.collector.config import configured
from aftersend.collector.probe import Probes, network_of
from aftersend.model.logline import LogLine
from aftersend.platform.entropy import SeededEntropy
from tests.support.tracking_server import NOW, Tracker, spelled, tracking

SCANNER, BESIDE, ELSEWHERE = "198.51.100.7", "198.51.100.200", "203.0.113.7"
PROXY = ("127.0.0.1",)
GARBLED: dict[str, Callable[[str], str]] = {
    "rot13": lambda token: codecs.encode(token, "rot13"),
    "last character": lambda token: token[:-1] + ("a" if token[-1] != "a" else "e"),
    "quoted": lambda token: f"{token}%27",
    "truncated": lambda token: token[:-9],
    "bad padding": lambda token: f"{token}a==",
}


def _click(tracker: Tracker, token: str, address: str, method: str = "GET") -> int:
    headers = {"x-forwarded-for": address}
    return tracker.client.request(method, f"/r/{token}", headers=headers).status_code


def _last(tracker: Tracker) -> LogLine:
    return tracker.lines[-1]


@pytest.mark.parametrize("garble", GARBLED.values(), ids=GARBLED.keys())
def test_the_good_token_after_a_garbled_one_is_marked(
    tmp_path: Path, garble: Callable[[str], str]
) -> None:
    """Field lessons C4: from the same /24 it is flagged p, and people are sent on all the same."""
    token = spelled()
    with tracking(tmp_path, trusted_proxies=PROXY) as tracker:
        _click(tracker, garble(token), SCANNER)
        assert _click(tracker, token, BESIDE) == 302
        assert _last(tracker).flags == "p"


@pytest.mark.parametrize("garble", GARBLED.values(), ids=GARBLED.keys())
def test_a_click_from_another_network_is_not_marked(
    tmp_path: Path, garble: Callable[[str], str]
) -> None:
    """What a scanner tries harms only those beside it."""
    token = spelled()
    with tracking(tmp_path, trusted_proxies=PROXY) as tracker:
        _click(tracker, garble(token), SCANNER)
        _click(tracker, token, ELSEWHERE)
        assert _last(tracker).flags == "0"


def test_a_click_later_is_not_marked(tmp_path: Path) -> None:
    """The window ends with its last second."""
    with tracking(tmp_path, trusted_proxies=PROXY, probe_s=10) as tracker:
        for seconds, flags in ((10, "p"), (10.001, "0")):
            _click(tracker, "nonsense", SCANNER)
            tracker.clock.advance(seconds)
            _click(tracker, spelled(), SCANNER)
            assert _last(tracker).flags == flags


def test_one_probe_marks_one_click(tmp_path: Path) -> None:
    """A company of many behind one address loses one click to a probe, not all."""
    with tracking(tmp_path, trusted_proxies=PROXY) as tracker:
        _click(tracker, "nonsense", SCANNER)
        for flags in ("p", "0"):
            _click(tracker, spelled(), SCANNER)
            assert _last(tracker).flags == flags


def test_a_head_request_does_not_use_the_mark_up(tmp_path: Path) -> None:
    """It is known for a machine's anyway; the click that follows it is not."""
    with tracking(tmp_path, trusted_proxies=PROXY) as tracker:
        _click(tracker, "nonsense", SCANNER)
        _click(tracker, spelled(), SCANNER, "HEAD")
        _click(tracker, spelled(), SCANNER)
        assert [line.flags for line in tracker.lines] == ["h", "p"]


def test_opens_are_never_marked(tmp_path: Path) -> None:
    """The rule is about clicks; a garbled picture is a probe like any other."""
    picture = spelled(1)
    with tracking(tmp_path, trusted_proxies=PROXY) as tracker:
        _click(tracker, f"{GARBLED['last character'](picture)}.gif", SCANNER)
        _click(tracker, f"{picture}.gif", SCANNER)
        assert [line.flags for line in tracker.lines] == ["u", "0"]
        _click(tracker, spelled(), SCANNER)
        assert _last(tracker).flags == "p"


def test_behind_a_proxy_that_is_not_trusted_nobody_is_marked(tmp_path: Path) -> None:
    """All come from loopback then, so one scanner would make everybody suspect."""
    with tracking(tmp_path) as tracker:
        _click(tracker, "nonsense", SCANNER)
        _click(tracker, spelled(), SCANNER)
        assert _last(tracker).flags == "0"


def test_nothing_is_remembered_where_the_setting_is_zero() -> None:
    """0 seconds switch it off."""
    probes = Probes(0)
    probes.note(SCANNER, NOW)
    assert not probes.is_awake


def test_it_sleeps_again_when_all_is_over() -> None:
    """Then a click pays for one look at an attribute."""
    probes = Probes(10)
    probes.note(SCANNER, NOW)
    assert probes.is_awake
    assert not probes.has_probed(ELSEWHERE, NOW + timedelta(seconds=11))
    assert not probes.is_awake


def test_many_networks_take_no_more_room_than_few() -> None:
    """The one that was heard of longest ago is forgotten, and one heard again is kept."""
    probes = Probes(10, networks_max=3)
    for number in (1, 2, 3, 1, 4):
        probes.note(f"10.0.{number}.1", NOW)
    assert [probes.has_probed(f"10.0.{number}.9", NOW) for number in (1, 2, 3, 4)] == [
        True,
        False,
        True,
        True,
    ]


@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_neighbours_of_a_24_are_one_network(address: object, last: int) -> None:
    """Loopback aside, the last number makes no difference; the one before does.

    Killed the mutant that cuts two numbers off, a /16, and the one that cuts none.
    """
    first, second, third, _ = str(address).split(".")
    if first == "127":
        assert network_of(str(address)) is None
        return
    assert network_of(str(address)) == network_of(f"{first}.{second}.{third}.{last}")
    assert network_of(str(address)) != network_of(f"{first}.{second}.{int(third) ^ 1}.{last}")


@pytest.mark.parametrize("address", ["", "127.0.0.1", "::1", "unreadable"])
def test_who_has_no_network_is_not_remembered(address: str) -> None:
    """Loopback, none, and what is no address."""
    assert network_of(address) is None


def test_the_window_is_the_one_of_the_settings(tmp_path: Path) -> None:
    """machines.probe_s reaches the tracking server."""
    from aftersend.app import init
    from aftersend.settings import load

    init(tmp_path / "instance", entropy=SeededEntropy(1))
    file = tmp_path / "instance" / "aftersend.toml"
    file.write_text(file.read_text() + "\n[machines]\nprobe_s = 25\n")
    assert configured(tmp_path / "instance", load(tmp_path / "instance")).probe_s == 25
