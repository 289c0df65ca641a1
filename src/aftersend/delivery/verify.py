"""Looking whether public addresses lead to our tracking servers, as people and mail programs would.

For each address, one step after the other until one fails: its name is found, its addresses
answer, its certificate is good, ``/r/test`` comes from a tracking server, and signed pings come
from ours. Each ping has a connection of its own, so that a load balancer leads to all servers.
Nothing is followed: a redirect is a finding, and no proxy of the environment stands between.

What is found is kept for the page and for analyses. Finding a name is bounded by the resolver of
the system, everything else by the limits below.
"""

import json
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from aftersend.collector.ping import PATH, is_signed
from aftersend.database import public_addresses
from aftersend.database.public_addresses import PublicAddress
from aftersend.delivery.registration import Registry, read_bounded, reason_of
from aftersend.errors import InvalidInput
from aftersend.model.ids import ServerId
from aftersend.platform.clock import Clock

__all__ = ["LEFT_MIN", "Found", "Tls", "verify"]

LEFT_MIN: Final = timedelta(days=14)
"""Less than this until a certificate ends is told."""

_TIMEOUT_S: Final = 5.0
_ADDRESSES_MAX: Final = 16
_PINGS_MIN: Final = 8
_PINGS_PER_SERVER: Final = 6
_SECONDS_MAX: Final = 30.0
_TEST_START: Final = b"<redir status='OK'"
_NOWHERE: Final = (101, 99)  # ENETUNREACH, EADDRNOTAVAIL: this machine has no such network

_EXPIRED, _NOT_YET = 10, 9
_WRONG_HOST: Final = (62, 64)
_UNTRUSTED: Final = (2, 18, 19, 20, 21, 24)


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate of an address."""

    valid_until: datetime
    issuer: str


@dataclass(frozen=True, slots=True)
class Found:
    """What an address was found to be; `is_ok`: it leads to our servers and to nobody else.

    `servers` have answered, `missing` are registered and never did. `problem` is a sentence, also
    where something is to be done though the address is well.
    """

    url: str
    is_ok: bool = False
    addresses: tuple[str, ...] = ()
    tls: Tls | None = None
    servers: tuple[ServerId, ...] = ()
    missing: tuple[ServerId, ...] = ()
    problem: str = ""


class _Wrong(Exception):
    """A step found why people would not get through, in a sentence."""


def verify(registry: Registry, *, ca_file: Path | None = None) -> list[Found]:
    """Look at every public address, and keep what is found.

    Raises:
        InvalidInput: `ca_file` holds no certificates.
    """
    context = _trusting(ca_file)
    found = [_look(registry, url, context) for url in registry.public_urls()]
    now = registry.office.clock.now()
    with registry.office.database.write() as connection:
        for one in found:
            verified_at = now if one.is_ok else None
            kept = PublicAddress(one.url, now, verified_at, one.servers, one.problem)
            public_addresses.note(connection, kept)
    return found


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(
                f"{ca_file} holds no certificates that can be read: name a PEM file."
            ) from error
    return context


def _look(registry: Registry, url: str, context: ssl.SSLContext) -> Found:
    """Take the steps; the first that fails ends it."""
    found = Found(url)
    try:
        host, port = _place(url)
        found = replace(found, addresses=_resolved(host, port))
        answering = _connected(found.addresses, port)
        if url.lower().startswith("https:"):
            certificates = [_certificate(each, port, host, context) for each in answering]
            soonest = min(certificates, key=lambda each: each.valid_until)
            found = replace(found, tls=soonest)
        with _client(context) as client:
            _test(client, url, registry.office.clock)
        servers = _ping(registry, url, context)
        registered = tuple(each.id for each in registry.servers() if each.is_registered)
        missing = tuple(one for one in registered if one not in servers)
        found = replace(found, servers=servers, missing=missing)
        _check_known(servers, {*registered, *registry.local_ids()})
    except _Wrong as wrong:
        return replace(found, problem=str(wrong))
    problems = [*_soon(found.tls, registry.office.clock.now()), *_missing(found.missing)]
    return replace(found, is_ok=True, problem=" ".join(problems))


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _Wrong(f"{url} is no address: mend it in aftersend.toml.") from error
    return host, port or (443 if parts.scheme.lower() == "https" else 80)


def _resolved(host: str, port: int) -> tuple[str, ...]:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _Wrong(
            f"The name {host} cannot be found: make a DNS record of it that leads to the tracking"
            " servers, or mend the address in aftersend.toml."
        ) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))[:_ADDRESSES_MAX]


def _connected(addresses: Sequence[str], port: int) -> list[str]:
    """Give the addresses that accept connections; one that does not fails some of the people."""
    answering, silent = [], []
    for address in addresses:
        try:
            socket.create_connection((address, port), timeout=_TIMEOUT_S).close()
            answering.append(address)
        except OSError as error:
            if error.errno in _NOWHERE and len(addresses) > 1:
                continue
            silent.append(f"{address} ({error.strerror or error})")
    if silent or not answering:
        raise _Wrong(
            f"Nothing answers on port {port} of {', '.join(silent or addresses)}: start what"
            " stands before the tracking servers, and open the port."
        )
    return answering


def _certificate(address: str, port: int, host: str, context: ssl.SSLContext) -> Tls:
    try:
        with (
            socket.create_connection((address, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            told = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise _Wrong(_of_certificate(host, error)) from error
    except OSError as error:
        raise _Wrong(
            f"Port {port} of {host} does not speak TLS ({error.strerror or error}): set up a"
            " certificate there, or write http in aftersend.toml."
        ) from error
    seconds = ssl.cert_time_to_seconds(str(told["notAfter"]))
    names = dict(pair for part in _issuer(told.get("issuer")) for pair in part)
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed authority"
    return Tls(datetime.fromtimestamp(seconds, UTC), issuer)


def _issuer(told: object) -> Iterable[Iterable[tuple[str, str]]]:
    return told if isinstance(told, tuple) else ()


def _of_certificate(host: str, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"The certificate of {host} has expired: renew it."
    if code == _NOT_YET:
        return f"The certificate of {host} is not valid yet: look at the clocks of both machines."
    if code in _WRONG_HOST:
        return f"The certificate there is of another name than {host}: get one for this name."
    if code in _UNTRUSTED:
        return (
            f"The certificate of {host} is of an authority that nobody knows, or does not name the"
            " ones in between: install the whole chain of a public authority."
        )
    return f"The certificate of {host} is not accepted: {error.verify_message}."


def _client(context: ssl.SSLContext) -> httpx.Client:
    return httpx.Client(verify=context, timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False)


def _get(client: httpx.Client, url: str, clock: Clock) -> tuple[httpx.Response, bytes]:
    try:
        with client.stream("GET", url) as response:
            return response, read_bounded(response, clock)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Wrong(
            f"{url} does not answer ({reason_of(error)}): look whether the tracking servers run."
        ) from error


def _test(client: httpx.Client, url: str, clock: Clock) -> None:
    response, body = _get(client, f"{url}/r/test", clock)
    if response.is_redirect:
        raise _Wrong(
            f"{url}/r/test sends people on to {response.headers.get('Location', '')[:200]}: let it"
            " be answered by a tracking server, at this very address."
        )
    if response.status_code >= 500:
        raise _Wrong(
            f"{url}/r/test answers with status {response.status_code}: start the tracking servers"
            " behind it."
        )
    if not response.is_success or not body.startswith(_TEST_START):
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        raise _Wrong(
            f"Something else than a tracking server answers at {url}"
            f" ({f'{response.status_code} {kind}'.strip()}): lead /r/ of this name to one."
        )


def _ping(registry: Registry, url: str, context: ssl.SSLContext) -> tuple[ServerId, ...]:
    """Ask on fresh connections until all who are registered have answered, or often enough."""
    registered = {each.id for each in registry.servers() if each.is_registered}
    expected = registered or set(registry.local_ids())
    clock, seen = registry.office.clock, set[ServerId]()
    end = clock.monotonic() + _SECONDS_MAX
    for _ in range(max(_PINGS_MIN, _PINGS_PER_SERVER * len(expected))):
        with _client(context) as client:
            seen.add(_pinged(registry, client, url))
        if (expected and seen >= expected) or clock.monotonic() > end:
            break
    return tuple(sorted(seen))


def _pinged(registry: Registry, client: httpx.Client, url: str) -> ServerId:
    nonce = registry.entropy.bytes(16).hex()
    response, body = _get(client, f"{url}{PATH}{nonce}", registry.office.clock)
    if not response.is_success:
        raise _Wrong(
            f"{url} answers /r/test but no signed ping (status {response.status_code}): bring all"
            " tracking servers up to the version of the application."
        )
    try:
        document = json.loads(body)
        server, given = ServerId(str(document["server"])), str(document["signature"])
        is_ours = document["nonce"] == nonce and re.fullmatch("[0-9A-Za-z]", server) is not None
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours = False
    if not is_ours or not is_signed(server, nonce, given, keys=registry.office.keys):
        raise _Wrong(
            f"At {url} a tracking server answers that has none of our keys: give it the [keys] of"
            " this instance's aftersend.toml, or lead the name to ours."
        )
    return server


def _check_known(servers: Iterable[ServerId], known: set[ServerId]) -> None:
    strangers = [server for server in servers if server not in known]
    if strangers:
        raise _Wrong(
            f"Tracking server {', '.join(strangers)} answers there and is not registered, so its"
            " clicks are never fetched: `aftersend tracking server add --id"
            f" {strangers[0]} --internal-url …`."
        )


def _soon(tls: Tls | None, now: datetime) -> list[str]:
    if tls is None or tls.valid_until - now >= LEFT_MIN:
        return []
    days = (tls.valid_until - now).days
    return [f"The certificate ends in {days} days ({tls.valid_until:%Y-%m-%d}): renew it."]


def _missing(missing: Sequence[ServerId]) -> list[str]:
    if not missing:
        return []
    return [
        f"Tracking server {', '.join(missing)} is registered and never answered there: look whether"
        " what stands before the servers leads to all of them."
    ]
