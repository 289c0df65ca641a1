"""Registering tracking servers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from aftersend.database.tracking_servers import TrackingServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.registration import (
    Registry,
    read_bounded,
    register,
    remove,
    validate,
)
from aftersend.delivery.server_list import Faring, ServerStatus, farings, server_rows
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.ids import ServerId
from aftersend.platform.clock import ManualClock
from tests.support.page_server import Page, page, serving_pages
from tests.support.post_office import NOW
from tests.support.registry import make_registry, servers
from tests.support.running import free_port


@pytest.fixture
def registry(office: PostOffice) -> Registry:
    """Give an application without tracking servers."""
    return make_registry(office)


def _only(registry: Registry) -> TrackingServer:
    (server,) = registry.servers()
    return server


def test_a_server_that_is_registered_is_kept_with_what_it_says(
    registry: Registry, tmp_path: Path
) -> None:
    """Build and host come from the server, the moment from us."""
    with servers(tmp_path, registry.office, "2") as (server,):
        outcome = register(registry, "2", f"{server.url}/")

        told = _only(registry)
        assert ((ServerId("2"),), "") == (outcome.servers, outcome.problem)
        assert (server.url, NOW, "") == (told.internal_url, told.registered_at, told.problem)
        assert told.build
        assert told.host


def test_all_who_share_the_address_are_registered(registry: Registry, tmp_path: Path) -> None:
    """Each has lines of its own, so each gets a row of its own."""
    ids = (ServerId("2"), ServerId("3"))
    with servers(tmp_path, registry.office, "2", server_ids=ids) as (server,):
        outcome = register(registry, "3", server.url)

    assert ids == outcome.servers
    assert [("2", server.url), ("3", server.url)] == [
        (each.id, each.internal_url) for each in registry.servers()
    ]


def test_a_server_of_another_id_is_not_what_was_meant(registry: Registry, tmp_path: Path) -> None:
    """The sentence names who is there; nothing is kept."""
    with (
        servers(tmp_path, registry.office, "2") as (server,),
        pytest.raises(InvalidInput, match="there is tracking server 2, not 7"),
    ):
        register(registry, "7", server.url)

    assert [] == registry.servers()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "some other password"}, "has another password: set collector.password"),
        ({"instance": "other"}, "belongs to the instance 'other', not to 'aftersend'"),
    ],
)
def test_servers_have_our_name_and_password(
    registry: Registry, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """One that differs is refused, and not kept."""
    with (
        servers(tmp_path, registry.office, "2", **changes) as (server,),
        pytest.raises(InvalidInput, match=sentence),
    ):
        register(registry, "2", server.url)

    assert [] == registry.servers()


def test_another_application_is_told_and_may_insist(
    registry: Registry, office: PostOffice, tmp_path: Path
) -> None:
    """A server works for one application; who has lost it learns that at the next contact."""
    with servers(tmp_path, office, "2") as (server,):
        register(registry, "2", server.url)
        told = server.admin("GET", "/registration").json()["application"]
        other = json.dumps({"instance": "aftersend", "application": "b" * 32, "force": True})
        server.admin("PUT", "/registration", other.encode())
        with pytest.raises(InvalidInput, match=r"by another application since .* --force"):
            register(registry, "2", server.url)
        validate(registry)
        lost = _only(registry)
        register(registry, "2", server.url, is_forced=True)
        again = server.admin("GET", "/registration").json()["application"]

    assert not lost.is_registered
    assert "--force" in lost.problem
    assert told == again
    assert (NOW, "") == (_only(registry).registered_at, _only(registry).problem)


def test_who_does_not_answer_is_kept_and_tried_again(
    registry: Registry, tmp_path: Path, clock: ManualClock
) -> None:
    """Known with the reason, not registered; contacted again, it is registered."""
    port = free_port()
    outcome = register(registry, "2", f"http://127.0.0.1:{port}")
    before = _only(registry)
    validate(registry)
    still = _only(registry)
    clock.advance(60)
    with servers(tmp_path, registry.office, "2") as (server,):
        with registry.office.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE tracking_server SET internal_url = '{server.url}'")
        validate(registry)

    assert "does not answer" in outcome.problem
    assert before == still
    assert (None, outcome.problem) == (before.registered_at, before.problem)
    assert (NOW + timedelta(minutes=1), "") == (
        _only(registry).registered_at,
        _only(registry).problem,
    )


def test_a_server_that_falls_silent_stays_registered(registry: Registry, tmp_path: Path) -> None:
    """It is out for a while, and still ours; when it is back, nothing is wrong any more."""
    with servers(tmp_path, registry.office, "2") as (server,):
        register(registry, "2", server.url)
    (silent,) = validate(registry)

    assert silent.is_registered
    assert "does not answer" in silent.problem


def test_contact_again_changes_no_moment(
    registry: Registry, tmp_path: Path, clock: ManualClock
) -> None:
    """Registered since the first time, however often every run of Tracking asks."""
    with servers(tmp_path, registry.office, "2") as (server,):
        register(registry, "2", server.url)
        clock.advance(3600)
        validate(registry)
        register(registry, "2", server.url)

    assert _only(registry).registered_at == NOW


def test_a_server_that_is_not_started_any_more_is_told(registry: Registry, tmp_path: Path) -> None:
    """With fewer processes than before, lines of the others would stay behind."""
    ids = (ServerId("2"), ServerId("3"))
    with servers(tmp_path, registry.office, "2", server_ids=ids) as (server,):
        register(registry, "2", server.url)
    with servers(tmp_path / "later", registry.office, "2") as (server,):
        with registry.office.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE tracking_server SET internal_url = '{server.url}'")
        two, three = validate(registry)

    assert two.problem == ""
    assert three.is_registered
    assert three.problem.startswith("It is not among the servers at")


def test_an_id_is_registered_at_one_address(registry: Registry, tmp_path: Path) -> None:
    """Lines of two servers of one id would get mixed up; force tells that it has moved."""
    with (
        servers(tmp_path, registry.office, "2") as (first,),
        servers(tmp_path / "more", registry.office, "2") as (second,),
    ):
        register(registry, "2", first.url)
        with pytest.raises(InvalidInput, match=f"2 is registered at {first.url} already"):
            register(registry, "2", second.url)
        stayed = _only(registry).internal_url
        register(registry, "2", second.url, is_forced=True)

    assert (first.url, second.url) == (stayed, _only(registry).internal_url)


def test_ids_that_came_with_the_address_are_looked_at_too(
    registry: Registry, tmp_path: Path
) -> None:
    """A server beside the one that was named may be known from elsewhere."""
    ids = (ServerId("3"), ServerId("2"))
    with (
        servers(tmp_path, registry.office, "2") as (first,),
        servers(tmp_path, registry.office, "3", server_ids=ids) as (second,),
    ):
        register(registry, "2", first.url)
        with pytest.raises(InvalidInput, match=f"2 is registered at {first.url} already"):
            register(registry, "3", second.url)

    assert first.url == _only(registry).internal_url


def test_an_id_of_this_machine_is_not_given_twice(registry: Registry, tmp_path: Path) -> None:
    """The spool in our own folder has that id, and it is another server that answers."""
    (registry.var / "spool" / "2").mkdir(parents=True)
    with (
        servers(tmp_path, registry.office, "2") as (server,),
        pytest.raises(InvalidInput, match="2 is on this machine already"),
    ):
        register(registry, "2", server.url)

    assert [] == registry.servers()


def test_the_server_of_this_machine_may_be_registered_by_its_address(
    registry: Registry,
) -> None:
    """It keeps its registration in our own folder, so we know it."""
    with servers(
        registry.var,
        registry.office,
        "2",
        catalogue_directory=registry.var / "catalogue",
        spool_directory=registry.var / "spool" / "2",
    ) as (server,):
        register(registry, "2", server.url)

    assert (server.url, "") == (_only(registry).internal_url, _only(registry).problem)


@pytest.mark.parametrize(
    "answer",
    [
        page(b"<p>Hello</p>"),
        page(b"{}", kind="application/json"),
        page(b'{"servers": [], "build": "1", "host": "h", "registered_at": ""}'),
        page(b'{"servers": ["22"], "build": "1", "host": "h", "registered_at": ""}'),
        page(b'{"servers": 5, "build": "1", "host": "h", "registered_at": ""}'),
        page(b"[" * 70_000),
        page(b"no", status=404),
        page(b"{}", status=400),
        page(b"", status=302, Location="https://elsewhere.example/"),
    ],
)
def test_what_is_no_tracking_server_is_refused(registry: Registry, answer: Page) -> None:
    """The sentence says so, whatever it answers; redirects are not followed."""
    with serving_pages({"/registration": answer}) as strange:
        url = f"http://127.0.0.1:{strange.port}"
        with pytest.raises(InvalidInput, match="is no tracking server of this version"):
            register(registry, "2", url)

    assert [] == registry.servers()


@pytest.mark.parametrize(
    ("server_id", "url", "sentence"),
    [
        ("22", "http://t.example", "not one letter or digit"),
        ("é", "http://t.example", "not one letter or digit"),
        ("2", "t.example:80", "no address such as"),
        ("2", "http://t.example/path", "no address such as"),
        ("2", "http://me@t.example", "no address such as"),
    ],
)
def test_ids_and_addresses_are_checked_first(
    registry: Registry, server_id: str, url: str, sentence: str
) -> None:
    """Nobody is contacted by a misspelt address."""
    with pytest.raises(InvalidInput, match=sentence):
        register(registry, server_id, url)


def test_removing_takes_those_of_the_address_along(registry: Registry, tmp_path: Path) -> None:
    """They are one server to its operator; the next contact would bring them back one by one."""
    ids = (ServerId("2"), ServerId("3"))
    with (
        servers(tmp_path, registry.office, "2", server_ids=ids) as (several,),
        servers(tmp_path, registry.office, "4") as (single,),
    ):
        register(registry, "2", several.url)
        register(registry, "4", single.url)

    assert ids == remove(registry, "3")
    assert ["4"] == [each.id for each in registry.servers()]
    with pytest.raises(NotFound, match="no registered tracking server 3"):
        remove(registry, "3")


def test_the_list_has_servers_here_and_elsewhere(registry: Registry, tmp_path: Path) -> None:
    """By id, each with how it stands; what else lies in the folder of spools is none."""
    for name in ("1", "not-a-server"):
        (registry.var / "spool" / name).mkdir(parents=True)
    with servers(tmp_path, registry.office, "2") as (server,):
        register(registry, "2", server.url)
        register(registry, "3", f"http://127.0.0.1:{free_port()}")

        assert [
            ("1", None, ServerStatus.LOCAL),
            ("2", server.url, ServerStatus.REGISTERED),
            ("3", registry.servers()[1].internal_url, ServerStatus.NOT_REGISTERED),
        ] == [(row.id, row.internal_url, row.status) for row in server_rows(registry)]
    validate(registry)
    assert server_rows(registry)[1].status is ServerStatus.PROBLEM


def test_servers_tell_how_they_fare(registry: Registry, tmp_path: Path) -> None:
    """Those that answer, by their own word; those that do not, are silent."""
    with servers(tmp_path, registry.office, "2") as (server,):
        register(registry, "2", server.url)
        register(registry, "3", f"http://127.0.0.1:{free_port()}")
        faring = farings(registry)
    (registry.var / "spool" / "1").mkdir(parents=True)

    assert {"2": Faring("ok", 0), "3": Faring("silent")} == faring
    assert Faring("silent") == farings(replace(registry))[ServerId("1")]


def test_who_answers_drop_by_drop_is_not_listened_to_for_ever(clock: ManualClock) -> None:
    """An answer has ten seconds and 64 KB; what comes later is not read."""

    def drops() -> Iterator[bytes]:
        while True:
            clock.advance(1)
            yield b"x"

    slow = read_bounded(httpx.Response(200, content=drops()), clock)
    large = read_bounded(httpx.Response(200, content=repeat(b"x" * 1000)), clock)

    assert (b"x" * 11, b"x" * 65_536) == (slow, large)
