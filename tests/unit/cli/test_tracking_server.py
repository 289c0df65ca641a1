"""Registering and verifying tracking servers from the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aftersend.model.ids import ServerId
from aftersend.model.token import KeyRing
from aftersend.settings import FILE_NAME, load
from tests.support.command import Outcome, aftersend
from tests.support.running import free_port
from tests.support.tracking_server import Tracker, tracking


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """Make an instance of one's own."""
    directory = tmp_path / "instance"
    assert aftersend(None, "init", str(directory)).status == 0
    return directory


@contextmanager
def _server(instance: Path, server_id: str, /, **changes: Any) -> Iterator[Tracker]:
    """Run a tracking server of the instance somewhere else."""
    settings = load(instance)
    values: dict[str, Any] = {
        "password": settings.collector.password,
        "keys": KeyRing(settings.secrets),
    }
    folder = instance.parent / f"far-{server_id}"
    with tracking(folder, server_id=ServerId(server_id), **(values | changes)) as tracker:
        yield tracker


def _run(instance: Path, *arguments: str) -> Outcome:
    return aftersend(instance, "tracking", "server", *arguments)


def _add(instance: Path, server_id: str, url: str, *more: str) -> Outcome:
    return _run(instance, "add", "--id", server_id, "--internal-url", url, *more)


def _external(instance: Path, url: str, more: str = "") -> None:
    file = instance / FILE_NAME
    text = file.read_text().replace("[collector]\n", f'[collector]\nexternal_url = "{url}"\n')
    file.write_text(text + more)


def test_servers_are_added_listed_and_removed(instance: Path) -> None:
    """What the server says of itself stands in the list until it is removed."""
    with _server(instance, "2", server_ids=(ServerId("2"), ServerId("3"))) as server:
        added = _add(instance, "2", server.url)
    listed = _run(instance, "list", "--json").document
    table = _run(instance, "list")
    removed = _run(instance, "remove", "--id", "3")

    assert (0, f"Tracking server 2, 3 is registered at {server.url}.\n") == (
        added.status,
        added.out,
    )
    assert [
        ("2", server.url, "registered", ""),
        ("3", server.url, "registered", ""),
    ] == [(row["id"], row["internal_url"], row["status"], row["problem"]) for row in listed]
    assert all(row["host"] and row["build"] and row["registered_at"] for row in listed)
    assert "Registered" in table.out
    assert (0, True) == (
        removed.status,
        removed.out.startswith("Tracking server 2, 3 is forgotten."),
    )
    assert [] == _run(instance, "list", "--json").document
    assert _run(instance, "remove", "--id", "3").status == 1


def test_a_silent_server_is_kept_and_told(instance: Path) -> None:
    """That is no failure: it is registered when it answers."""
    outcome = _add(instance, "2", f"http://127.0.0.1:{free_port()}")
    (row,) = _run(instance, "list", "--json").document

    assert (0, "Tracking server 2 is kept, but not registered yet.\n") == (
        outcome.status,
        outcome.out,
    )
    assert "does not answer: Connection refused. Every run of Tracking tries again." in outcome.err
    assert ("not-registered", None) == (row["status"], row["registered_at"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "quite another password"}, "has another password"),
        ({"instance": "other"}, "belongs to the instance 'other'"),
    ],
)
def test_a_refusal_is_one_sentence(instance: Path, changes: dict[str, str], sentence: str) -> None:
    """Exit status 1, and nothing is kept."""
    with _server(instance, "2", **changes) as server:
        outcome = _add(instance, "2", server.url)

    assert outcome.status == 1
    assert sentence in outcome.err
    assert [] == _run(instance, "list", "--json").document


def test_another_application_takes_over_with_force(instance: Path, tmp_path: Path) -> None:
    """Without it the server keeps working for the first one."""
    second = tmp_path / "second"
    assert aftersend(None, "init", str(second)).status == 0
    (second / FILE_NAME).write_text((instance / FILE_NAME).read_text())
    with _server(instance, "2") as server:
        assert _add(instance, "2", server.url).status == 0
        refused = _add(second, "2", server.url)
        forced = _add(second, "2", server.url, "--force")

    assert (1, 0) == (refused.status, forced.status)
    assert "registered by another application" in refused.err


def test_a_verified_address_is_told_in_json(instance: Path) -> None:
    """All there is to know of each address, and exit status 0."""
    with _server(instance, "2") as server:
        _external(instance, server.url)
        _add(instance, "2", server.url)
        outcome = _run(instance, "verify", "--json")
        text = _run(instance, "verify")

    assert outcome.status == 0, outcome.err
    assert [
        {
            "url": server.url,
            "ok": True,
            "addresses": ["127.0.0.1"],
            "tls": None,
            "servers": ["2"],
            "missing": [],
            "problem": "",
        }
    ] == outcome.document
    assert f"{server.url}: leads to our servers" in text.out
    assert "Tracking server 2: registered, answers" in text.out


def test_an_address_that_leads_elsewhere_fails(instance: Path) -> None:
    """Exit status 1, with the sentence that says what to do; brands are looked at, too."""
    brand = '\n[brands.pier]\ntracking_url = "http://pier.invalid"\n'
    with _server(instance, "2") as server:
        _external(instance, server.url, brand)
        _add(instance, "2", server.url)
        outcome = _run(instance, "verify", "--json")

    assert outcome.status == 1
    assert [True, False] == [each["ok"] for each in outcome.document]
    assert "The name pier.invalid cannot be found: make a DNS record" in outcome.err
    assert "Something is wrong with http://pier.invalid" in outcome.err


def test_an_internal_address_that_is_silent_fails(instance: Path) -> None:
    """People get through and lines are not fetched: somebody has to know."""
    with _server(instance, "2") as server, _server(instance, "3") as other:
        _external(instance, server.url)
        _add(instance, "2", server.url)
        _add(instance, "3", other.url)
        other_url = other.url
        both = _run(instance, "verify", "--json")
    with _server(instance, "2") as server:
        _add(instance, "2", server.url, "--force")
        outcome = _run(instance, "verify")

    assert ["3"] == both.document[0]["missing"]
    assert outcome.status == 1
    assert f"{other_url} does not answer" in outcome.out


def test_a_brand_is_chosen_by_its_name(instance: Path) -> None:
    """A delivery of a brand, and one that names none there is."""
    _external(instance, "https://t.example", '\n[brands.pier]\napp_url = "https://pier.example"\n')
    named = ("--label", "A", "--sender", "A <a@b.example>", "--subject", "Hello")
    text = instance.parent / "text.txt"
    text.write_text("Hello <%@ include view='MirrorPageUrl' %>")
    create = ("delivery", "create", *named, "--text", str(text))

    made = aftersend(instance, *create, "--brand", "pier", "--json")
    unknown = aftersend(instance, *create, "--brand", "harbour")
    shown = aftersend(instance, "delivery", "show", str(made.document["id"]), "--json").document
    urls = aftersend(instance, "delivery", "urls", str(made.document["id"]), "--json").document
    freed = aftersend(instance, "delivery", "set", str(made.document["id"]), "--brand", "")

    assert (0, "pier", 0) == (made.status, shown["brand"], freed.status)
    assert [True] == [url["source"].startswith("https://pier.example/m/") for url in urls]
    assert unknown.status == 1
    assert "There is no brand 'harbour'. The brands are: pier." in unknown.err
