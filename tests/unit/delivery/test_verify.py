"""Looking whether public addresses lead to our tracking servers, with real TLS and a real nginx."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from aftersend.database import public_addresses
from aftersend.database.public_addresses import PublicAddress
from aftersend.delivery.office import PostOffice
from aftersend.delivery.registration import Registry, register
from aftersend.delivery.verify import Found, verify
from aftersend.errors import InvalidInput
from aftersend.model.token import KeyRing
from aftersend.platform.clock import ManualClock, SystemClock
from tests.support.nginx import nginx
from tests.support.page_server import Page, page, serving_pages
from tests.support.post_office import NOW, VERIFIED
from tests.support.registry import make_registry, servers
from tests.support.running import free_port

HERE = "127.0.0.1"
TEST = b"<redir status='OK' date='' build='' host='' localHost=''/>"
Look = Callable[..., Found]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Give an authority that issues certificates, and that nobody trusts unasked."""
    return trustme.CA(organization_name="Harbour Trust")


@pytest.fixture
def look(office: PostOffice, tmp_path: Path, authority: trustme.CA) -> Look:
    """Give a function that verifies one public address; the authority is trusted unless told."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)

    def verify_one(url: str, *, is_trusted: bool = True, register_at: str = "") -> Found:
        registry = make_registry(office, public=[url])
        for server_id, address in _pairs(register_at):
            register(registry, server_id, address)
        (found,) = verify(registry, ca_file=bundle if is_trusted else None)
        return found

    return verify_one


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split():
        server_id, _, url = pair.partition("=")
        yield server_id, url


@contextmanager
def _public(
    tmp_path: Path, office: PostOffice, *ids: str, certificate: trustme.LeafCert | None = None
) -> Iterator[tuple[str, str]]:
    """Run servers behind nginx; give the public URL and who is where."""
    with (
        servers(tmp_path, office, *ids) as running,
        nginx(tmp_path / "nginx", [each.url for each in running], certificate) as url,
    ):
        pairs = (f"{one}={each.url}" for one, each in zip(ids, running, strict=True))
        yield url, " ".join(pairs)


def _kept(office: PostOffice) -> PublicAddress:
    with office.database.read() as connection:
        known = public_addresses.every(connection)
    (kept,) = (each for url, each in known.items() if url != VERIFIED.url)
    return kept


def test_an_address_that_leads_to_all_our_servers_is_verified(
    look: Look, office: PostOffice, tmp_path: Path, authority: trustme.CA
) -> None:
    """Address, certificate and both servers behind nginx are told, and kept."""
    with _public(tmp_path, office, "2", "3", certificate=authority.issue_cert(HERE)) as (url, at):
        found = look(url, register_at=at)

    assert (True, "") == (found.is_ok, found.problem)
    assert ((HERE,), ("2", "3"), ()) == (found.addresses, found.servers, found.missing)
    assert found.tls is not None
    assert found.tls.issuer == "Harbour Trust"
    assert found.tls.valid_until > SystemClock().now()
    kept = _kept(office)
    assert kept.is_verified
    assert (url, NOW, ("2", "3"), "") == (kept.url, kept.verified_at, kept.servers, kept.problem)


def test_without_tls_nothing_is_said_of_certificates(
    look: Look, office: PostOffice, tmp_path: Path
) -> None:
    """An http address of a trial is verified, too."""
    with _public(tmp_path, office, "2") as (url, at):
        found = look(url, register_at=at)

    assert (True, None, ("2",)) == (found.is_ok, found.tls, found.servers)


def test_a_server_that_is_never_reached_is_told(
    look: Look, office: PostOffice, tmp_path: Path
) -> None:
    """Nginx leads to one of two: people get through, and somebody has to look."""
    with (
        servers(tmp_path, office, "2", "3") as (two, three),
        nginx(tmp_path / "nginx", [two.url]) as url,
    ):
        found = look(url, register_at=f"2={two.url} 3={three.url}")

    assert (True, ("2",), ("3",)) == (found.is_ok, found.servers, found.missing)
    assert found.problem.startswith("Tracking server 3 is registered and never answered there")


def test_a_server_that_nobody_registered_is_told(
    look: Look, office: PostOffice, tmp_path: Path
) -> None:
    """It has our keys and redirects well, and what it writes would never be fetched."""
    with _public(tmp_path, office, "2", "3") as (url, at):
        found = look(url, register_at=at.split()[0])

    assert not found.is_ok
    assert "Tracking server 3 answers there and is not registered" in found.problem
    assert "tracking server add --id 3" in found.problem


def test_a_server_with_other_keys_is_not_ours(
    look: Look, office: PostOffice, tmp_path: Path
) -> None:
    """Everything else is right, and no link of ours would work there."""
    others = KeyRing({1: bytes(range(7, 39))})
    with servers(tmp_path, office, "2", keys=others) as (server,):
        found = look(server.url)

    assert not found.is_ok
    assert "has none of our keys" in found.problem


def test_a_server_may_lag_behind_with_the_newest_key(office: PostOffice, tmp_path: Path) -> None:
    """While keys are changed, a ping signed with an older one is as good."""
    newer = replace(office, keys=KeyRing({**office.keys.secrets, 2: bytes(range(9, 41))}))
    with servers(tmp_path, office, "2") as (server,):
        registry = make_registry(newer, public=[server.url])
        register(registry, "2", server.url)
        (found,) = verify(registry)

    assert found.is_ok


@pytest.mark.parametrize(
    ("name", "days", "sentence"),
    [
        (HERE, -1, "has expired: renew it"),
        ("other.example", 30, "is of another name than 127.0.0.1"),
        ("127.0.0.2", 30, "is of another name than 127.0.0.1"),
    ],
)
def test_a_certificate_that_browsers_refuse_is_told(
    look: Look,
    office: PostOffice,
    tmp_path: Path,
    authority: trustme.CA,
    name: str,
    days: int,
    sentence: str,
) -> None:
    """Why, in a sentence with what to do; no server is asked by such a way."""
    ends = SystemClock().now() + timedelta(days=days)
    certificate = authority.issue_cert(name, not_after=ends)
    with _public(tmp_path, office, "2", certificate=certificate) as (url, at):
        found = look(url, register_at=at)

    assert (False, None, ()) == (found.is_ok, found.tls, found.servers)
    assert sentence in found.problem
    assert (None, found.problem) == (_kept(office).verified_at, _kept(office).problem)


def test_a_certificate_of_an_unknown_authority_is_told(
    look: Look, office: PostOffice, tmp_path: Path, authority: trustme.CA
) -> None:
    """What only we would trust, people do not."""
    with _public(tmp_path, office, "2", certificate=authority.issue_cert(HERE)) as (url, at):
        found = look(url, is_trusted=False, register_at=at)

    assert not found.is_ok
    assert "of an authority that nobody knows" in found.problem


def test_a_certificate_that_ends_soon_is_told_while_it_works(
    look: Look, office: PostOffice, tmp_path: Path, authority: trustme.CA, clock: ManualClock
) -> None:
    """Two weeks are enough to renew it; nobody is kept out yet."""
    real = SystemClock().now()
    clock.advance((real - clock.now()).total_seconds())
    certificate = authority.issue_cert(HERE, not_after=real + timedelta(days=13, hours=1))
    with _public(tmp_path, office, "2", certificate=certificate) as (url, at):
        found = look(url, register_at=at)

    assert found.is_ok
    assert found.problem.startswith("The certificate ends in 13 days (")


def test_a_port_without_tls_is_told(look: Look, office: PostOffice, tmp_path: Path) -> None:
    """The address says https, and what stands there does not speak it."""
    with servers(tmp_path, office, "2") as (server,):
        found = look(server.url.replace("http:", "https:"))

    assert not found.is_ok
    assert "does not speak TLS" in found.problem


def test_a_name_that_does_not_exist_is_told(look: Look) -> None:
    """By its name, with the record that is missing."""
    found = look("https://clicks.nowhere.invalid")

    assert (False, ()) == (found.is_ok, found.addresses)
    assert found.problem.startswith("The name clicks.nowhere.invalid cannot be found: make a DNS")


def test_a_closed_port_is_told(look: Look) -> None:
    """With its number and the address."""
    port = free_port()
    found = look(f"http://{HERE}:{port}")

    assert not found.is_ok
    assert f"Nothing answers on port {port} of {HERE} (Connection refused)" in found.problem


def test_one_address_of_several_that_is_silent_is_told(
    look: Look, office: PostOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of the people is led there."""
    with servers(tmp_path, office, "2") as (server,):
        real, port = socket.getaddrinfo, int(server.url.rpartition(":")[2])

        def both(host: str, *arguments: object, **named: object) -> object:
            if host != "two.example":
                return real(host, *arguments, **named)  # type: ignore[arg-type]
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
                for each in (HERE, "127.0.0.9")
            ]

        monkeypatch.setattr(socket, "getaddrinfo", both)
        found = look(f"http://two.example:{port}")

    assert not found.is_ok
    assert (HERE, "127.0.0.9") == found.addresses
    assert "of 127.0.0.9 (Connection refused)" in found.problem


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        (
            {"/r/test": page(b"<p>Welcome to our shop</p>")},
            "Something else than a tracking server answers",
        ),
        ({"/r/test": page(b"no", status=404)}, "(404 text/html): lead /r/ of this name to one"),
        (
            {"/r/test": page(b"", status=301, Location="https://www.shop.example/")},
            "sends people on to https://www.shop.example/",
        ),
        ({"/r/test": page(b"", status=502)}, "with status 502: start the tracking servers"),
        (
            {"/r/test": page(TEST), "/r/ping/*": page(b"", status=404)},
            "no signed ping (status 404)",
        ),
        ({"/r/test": page(TEST), "/r/ping/*": page(b"{")}, "has none of our keys"),
        ({"/r/test": page(TEST), "/r/ping/*": page(b"[" * 70_000)}, "has none of our keys"),
        (
            {
                "/r/test": page(TEST),
                "/r/ping/*": page(b'{"server": "\\ud800", "nonce": "", "signature": "\\ud800"}'),
            },
            "has none of our keys",
        ),
    ],
)
def test_other_products_are_told_apart(look: Look, pages: dict[str, Page], sentence: str) -> None:
    """Whatever answers there, the sentence says what it is not."""
    with serving_pages(_Starred(pages)) as strange:
        found = look(f"http://{HERE}:{strange.port}")

    assert not found.is_ok
    assert sentence in found.problem


def test_an_old_answer_proves_nothing(look: Look, office: PostOffice, tmp_path: Path) -> None:
    """Somebody who has once seen a ping of ours cannot answer the next one with it."""
    with servers(tmp_path, office, "2") as (server,):
        seen = server.get("/r/ping/0123456789abcdef0123456789abcdef").content
    with serving_pages(_Starred({"/r/test": page(TEST), "/r/ping/*": page(seen)})) as imposter:
        found = look(f"http://{HERE}:{imposter.port}")

    assert not found.is_ok


def test_every_brand_has_its_address_looked_at(office: PostOffice, tmp_path: Path) -> None:
    """One that is wrong leaves the others as they are; each is kept by itself."""
    with _public(tmp_path, office, "2") as (url, at):
        registry = make_registry(office, public=[url, "http://brand.invalid", url])
        register(registry, "2", at.partition("=")[2])
        found = verify(registry)
    with office.database.read() as connection:
        kept = public_addresses.every(connection)

    assert [(url, True), ("http://brand.invalid", False)] == [(f.url, f.is_ok) for f in found]
    assert {url: True, "http://brand.invalid": False} == {
        each.url: each.is_verified for each in kept.values() if each != VERIFIED
    }


def test_a_failure_leaves_when_it_was_well(
    office: PostOffice, tmp_path: Path, clock: ManualClock
) -> None:
    """Whoever looks at it sees since when it is broken."""
    with _public(tmp_path, office, "2") as (url, at):
        registry = make_registry(office, public=[url])
        register(registry, "2", at.partition("=")[2])
        verify(registry)
    clock.advance(3600)
    verify(registry)

    kept = _kept(office)
    assert not kept.is_verified
    assert (NOW, NOW + timedelta(hours=1)) == (kept.verified_at, kept.checked_at)
    assert kept.problem.startswith("Nothing answers on port")


def test_a_file_without_certificates_is_refused(office: PostOffice, tmp_path: Path) -> None:
    """The sentence names the file."""
    registry: Registry = make_registry(office, public=["http://brand.invalid"])
    empty = tmp_path / "empty.pem"
    empty.write_text("")

    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(InvalidInput, match=f"{path.name} holds no certificates"):
            verify(registry, ca_file=path)


class _Starred(dict[str, Page]):
    """Pages by path; one that ends with a star is for all paths that begin so."""

    def __missing__(self, path: str) -> Page:
        return self[f"{path.rpartition('/')[0]}/*"]
