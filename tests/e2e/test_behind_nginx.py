"""A tracking server behind nginx, configured as the guide says."""

import re
import ssl
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.nginx import nginx_with
from tests.support.running import free_port
from tests.support.spooling import stored_lines
from tests.support.tracking_server import SHOP, Tracker, spelled, tracking

pytestmark = pytest.mark.heavy

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "tracking-server.md"
NAME = "t.example.com"
CLIENT = "127.0.0.2"


def _block(language: str, word: str) -> str:
    """Give the one block of the guide that is in a language and holds a word."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (each for each in blocks if word in each)
    return str(block)


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    """Run a tracking server that trusts whom the guide trusts."""
    told = tomllib.loads(_block("toml", "trusted_proxies"))["collector"]
    with tracking(tmp_path, trusted_proxies=tuple(told["trusted_proxies"])) as each:
        yield each


@pytest.fixture
def client(tmp_path: Path, tracker: Tracker) -> Iterator[httpx.Client]:
    """Come through nginx, from another address than its own."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    for index, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(tmp_path / "pem", append=index > 0)
    port = free_port()
    text = _block("nginx", "server_name")
    for ours, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        f"/etc/ssl/{NAME}.pem": str(tmp_path / "pem"),
        f"/etc/ssl/{NAME}.key": str(tmp_path / "key"),
        "127.0.0.1:8081": tracker.url.removeprefix("http://"),
    }.items():
        assert text.count(ours) == 1, ours
        text = text.replace(ours, here)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = httpx.HTTPTransport(verify=context, local_address=CLIENT)
    with (
        nginx_with(tmp_path / "nginx", text, port),
        httpx.Client(
            base_url=f"https://127.0.0.1:{port}", transport=transport, headers={"host": NAME}
        ) as made,
    ):
        yield made


def _get(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    extensions = {"sni_hostname": NAME}
    return client.get(path, headers=headers, extensions=extensions)


def test_a_click_comes_through_with_the_address_of_its_client(
    client: httpx.Client, tracker: Tracker
) -> None:
    """What the client says of its own address is overwritten; the destination stays as it is."""
    answer = _get(client, f"/r/{spelled(SHOP)}", **{"x-forwarded-for": "192.0.2.1"})

    assert answer.status_code == 302
    assert answer.headers["location"] == "https://shop.example/?a=1&b=2#c"
    assert [line.address for line in stored_lines(tracker.config.spool_directory)] == [CLIENT]


def test_escaped_addresses_are_handed_on_as_they_came(client: httpx.Client) -> None:
    """What gateways have escaped is still understood behind nginx."""
    token = spelled(SHOP)
    paths = [f"/r%2F{token}", f"/r%252F{token}", f"/r/{token}%3D"]

    assert [_get(client, path).status_code for path in paths] == [302, 302, 302]


def test_the_host_asked_for_arrives(client: httpx.Client) -> None:
    """Cookies need it, and `/r/test` tells it and who has asked."""
    text = _get(client, "/r/test").text

    assert f"host='{NAME}'" in text
    assert f"sourceIP='{CLIENT}'" in text


@pytest.mark.parametrize(
    "path", ["/metrics", "/health", "/logs", "/registration", "/catalogue/7", "/spare/res/a.png"]
)
def test_what_is_for_the_app_is_not_public(client: httpx.Client, path: str) -> None:
    """The web server itself says that there is no such thing."""
    answer = _get(client, path)

    assert answer.status_code == 404
    assert answer.headers["server"].startswith("nginx")


def test_a_large_body_is_refused_by_nginx(client: httpx.Client) -> None:
    """It never reaches the tracking server."""
    answer = client.post(
        f"/r/{spelled(SHOP)}", content=b"a" * 2000, extensions={"sni_hostname": NAME}
    )

    assert answer.status_code == 413
