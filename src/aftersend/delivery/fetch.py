"""Reading what contents include: pages of the hosts that are allowed, files of one folder.

An author names what is read, so the rules are strict. A page is read only when all of this holds,
for its own address and for each of at most three that it redirects to:

- the scheme is http or https, and does not fall back from https to http;
- the host is one of the instance's; `*.example.com` means every host below example.com;
- *every* address that the name resolves to is public. The connection goes to one of the addresses
  that were checked, not to the name once more: a second answer of the DNS decides nothing;
- it answers 200 and is text, within the time for everything and the size after unpacking.

No proxy, cookie, password or file of the machine has a part in it.

Source: spec §3.2 (`include url`, `include file`); RFC 6890 and the IANA registries of special
addresses.
"""

import asyncio
import codecs
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final, TypeAlias

import httpx
from anyio import fail_after

from aftersend.errors import InvalidInput, Transient

__all__ = ["IpAddress", "fetch", "is_public", "read_below", "resolve"]

REDIRECTS_MAX: Final = 3
ADDRESSES_MAX: Final = 8

IpAddress: TypeAlias = IPv4Address | IPv6Address

# Ways through other networks, and examples: no page is there whatever the flags of a version say.
_NEVER: Final = tuple(map(ip_network, ("192.88.99.0/24", "2002::/16", "3fff::/20")))
_IPV6_IN_USE: Final = ip_network("2000::/3")
_HEADERS: Final = {
    "Accept": "text/html, text/*;q=0.9",
    "Accept-Encoding": "gzip",
    "User-Agent": "Aftersend",
}
_META_CHARSET: Final = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:\-]+)", re.IGNORECASE)
_META_WITHIN: Final = 1024
_SHOWN_MAX: Final = 200


def is_public(address: IpAddress) -> bool:
    """Tell whether an address is one of the open network.

    >>> [is_public(ip_address(text)) for text in ("1.1.1.1", "10.0.0.1", "::ffff:1.1.1.1")]
    [True, False, False]
    """
    if isinstance(address, IPv6Address) and address not in _IPV6_IN_USE:
        return False
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str) -> Sequence[str]:
    """Ask the system for all addresses of a name.

    Raises:
        OSError: nobody knows the name.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def fetch(
    url: str,
    *,
    hosts: Collection[str],
    seconds_max: float,
    bytes_max: int,
    is_allowed: Callable[[IpAddress], bool] = is_public,
    resolve: Callable[[str], Sequence[str]] = resolve,
) -> str:
    """Read a page as text.

    Raises:
        InvalidInput: the rules of this module do not allow it, or it is no text.
        Transient: it could not be read now.
    """
    rules = _Rules(hosts, seconds_max, bytes_max, is_allowed, resolve)
    return asyncio.run(_within_time(url, rules))


def read_below(folder: Path | None, name: str, *, bytes_max: int) -> str:
    """Read a file of UTF-8 in a folder, or in one below it; links that lead out are refused.

    Raises:
        InvalidInput: there is no such file, or it is too large or no text.
    """
    try:
        with _path_below(folder, name).open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InvalidInput(f"The file {name!r} cannot be read: {error.strerror}.") from error
    if len(data) > bytes_max:
        raise InvalidInput(f"The file {name!r} has more than {bytes_max:,} bytes.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file {name!r} is not text in UTF-8.") from error


def _path_below(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise InvalidInput(f"The file {name!r} cannot be read: no folder is set for files.")
    try:
        path = (folder / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise InvalidInput(f"There is no file {name!r}: put it into {folder}.") from error
    is_inside = path.is_relative_to(folder.resolve()) and ".." not in Path(name).parts
    if not is_inside or not path.is_file():
        raise InvalidInput(f"{name!r} is no file of the folder {folder}.")
    return path


@dataclass(frozen=True, slots=True)
class _Rules:
    hosts: Collection[str]
    seconds_max: float
    bytes_max: int
    is_allowed: Callable[[IpAddress], bool]
    resolve: Callable[[str], Sequence[str]]


async def _within_time(url: str, rules: _Rules) -> str:
    try:
        # Not asyncio's: cancelled by it while it connects, the client forgets its socket.
        with fail_after(rules.seconds_max):
            return await _follow(url, rules)
    except TimeoutError as error:
        raise Transient(
            f"The page {_shown(url)} was not read within {rules.seconds_max:g} seconds."
        ) from error
    except httpx.HTTPError as error:
        raise Transient(f"The page {_shown(url)} cannot be read: {_reason(error)}.") from error


async def _follow(url: str, rules: _Rules) -> str:
    address = _checked(url, rules)
    for _ in range(REDIRECTS_MAX + 1):
        answer = await _ask(address, rules)
        if isinstance(answer, str):
            return answer
        if address.scheme == "https" and answer.scheme != "https":
            raise InvalidInput(f"The page {_shown(address)} redirects from https to http.")
        address = _checked(str(answer), rules)
    raise InvalidInput(f"The page {_shown(url)} redirects more than {REDIRECTS_MAX} times.")


def _checked(url: str, rules: _Rules) -> httpx.URL:
    """Read an address that may be asked, as far as its text tells."""
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise InvalidInput(f"{_shown(url)} is no web address.") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise InvalidInput(f"{_shown(url)} is no web address: begin with https:// and a host.")
    if address.userinfo:
        raise InvalidInput(f"{_shown(address.copy_with(userinfo=b''))} is asked without log-in.")
    host = address.raw_host.decode("ascii")
    if not any(_names(allowed, host) for allowed in rules.hosts):
        raise InvalidInput(
            f"The host {host} may not be included from: add it to content.include_hosts."
        )
    return address


def _names(allowed: str, host: str) -> bool:
    suffix = _in_ascii(allowed).removeprefix("*")
    if suffix.startswith("."):
        return host.endswith(suffix) and host != suffix
    return host == suffix


def _in_ascii(host: str) -> str:
    return ".".join(
        label if label.isascii() else label.encode("idna").decode("ascii")
        for label in host.lower().split(".")
    )


async def _ask(url: httpx.URL, rules: _Rules) -> "str | httpx.URL":
    """Ask one host; a redirect is given back as the address that it leads to."""
    addresses = await _addresses(url, rules)
    timeout = httpx.Timeout(None, connect=rules.seconds_max / len(addresses))
    # Certificates are those that the machine trusts; proxies of its environment are not used.
    async with httpx.AsyncClient(
        trust_env=False, verify=ssl.create_default_context(), timeout=timeout
    ) as client:
        for place, address in enumerate(addresses):
            try:
                return await _ask_at(client, url, address, rules)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if place == len(addresses) - 1:
                    raise
    raise AssertionError("the last address answers or raises")


async def _addresses(url: httpx.URL, rules: _Rules) -> Sequence[str]:
    """Resolve a name once, and refuse it when one of its addresses is not public."""
    host = url.raw_host.decode("ascii")
    # A resolver that hangs cannot be stopped, only left behind.
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(executor, rules.resolve, host)
    except (OSError, UnicodeError) as error:
        raise Transient(f"The host {host} is not known.") from error
    finally:
        executor.shutdown(wait=False)
    if not addresses:
        raise Transient(f"The host {host} has no address.")
    for address in addresses:
        if not rules.is_allowed(ip_address(address)):
            raise InvalidInput(
                f"The host {host} is at {address}, which is not an address of the open network."
            )
    return addresses[:ADDRESSES_MAX]


async def _ask_at(
    client: httpx.AsyncClient, url: httpx.URL, address: str, rules: _Rules
) -> "str | httpx.URL":
    host = url.raw_host.decode("ascii")
    async with client.stream(
        "GET",
        url.copy_with(host=address, fragment=None),
        headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
        extensions={"sni_hostname": host},
    ) as response:
        if response.has_redirect_location:
            return url.join(response.headers["location"])
        if response.status_code != httpx.codes.OK:
            raise Transient(f"The page {_shown(url)} answers {response.status_code}, not 200.")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("text/") and kind != "application/xhtml+xml":
            raise InvalidInput(f"The page {_shown(url)} is {kind or 'of no type'}, not text.")
        data = await _body(response, url, rules.bytes_max)
        return _text(data, response.charset_encoding, url)


async def _body(response: httpx.Response, url: httpx.URL, bytes_max: int) -> bytes:
    """Read and unpack a body no further than it may be long."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise InvalidInput(f"The page {_shown(url)} is packed as {coding!r}, which we cannot read.")
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if coding != "identity" else None
    data = bytearray()
    try:
        async for chunk in response.aiter_raw():
            data += unpack.decompress(chunk, bytes_max + 1 - len(data)) if unpack else chunk
            if len(data) > bytes_max:
                raise InvalidInput(f"The page {_shown(url)} has more than {bytes_max:,} bytes.")
    except zlib.error as error:
        raise Transient(f"The page {_shown(url)} is packed wrongly.") from error
    if unpack and not unpack.eof:
        raise Transient(f"The page {_shown(url)} ends too early.")
    return bytes(data)


def _text(data: bytes, charset: str | None, url: httpx.URL) -> str:
    if data.startswith(codecs.BOM_UTF8):
        charset = "utf-8-sig"
    elif charset is None and (meta := _META_CHARSET.search(data[:_META_WITHIN])):
        charset = meta[1].decode("ascii", "replace")
    try:
        return data.decode(charset or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise InvalidInput(
            f"The page {_shown(url)} is not text in {(charset or 'UTF-8')[:40]}."
        ) from error


def _shown(url: object) -> str:
    text = str(url)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _reason(error: httpx.HTTPError) -> str:
    return str(error).rstrip(".") or type(error).__name__
