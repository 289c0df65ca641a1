"""Which pages may be read: hosts, addresses and redirects."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from aftersend.delivery.fetch import fetch, is_public, resolve
from aftersend.errors import InvalidInput, Transient
from tests.support.page_server import (
    HOSTS,
    PATIENT_S,
    anywhere,
    page,
    read_page,
    serving_pages,
)

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"]
NOT_PUBLIC = [
    *("0.0.0.0", "127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1", "192.88.99.1", "224.0.0.1"),
    *("239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0"),
    *("fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::"),
    *("::ffff:127.0.0.1", "::ffff:1.1.1.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("3fff::1", "5f00::1", "100::1"),
]


def _strictly(url: str, *addresses: str) -> str:
    return fetch(
        url, hosts=HOSTS, seconds_max=PATIENT_S, bytes_max=1000, resolve=lambda _: addresses
    )


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_open_network_is_public(text: str) -> None:
    """Pages of the open network can be read."""
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_an_address_with_a_special_meaning_is_not_public(text: str) -> None:
    """This machine, its neighbours and ways round to them cannot be read."""
    assert not is_public(ip_address(text))


def test_a_page_is_read_from_the_address_that_was_checked() -> None:
    """The name is resolved once; the server hears the name, and nothing of the machine."""
    asked: list[str] = []

    def once(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with serving_pages({"/news?id=3": page("Grüße".encode())}) as server:
        text = fetch(
            f"http://cms.example:{server.port}/news?id=3#part",
            hosts=HOSTS,
            seconds_max=PATIENT_S,
            bytes_max=1000,
            is_allowed=anywhere,
            resolve=once,
        )
        ((path, headers),) = server.asked

    assert text == "Grüße"
    assert asked == ["cms.example"]
    assert (path, headers["Host"]) == ("/news?id=3", f"cms.example:{server.port}")
    assert {"Cookie", "Authorization", "Referer"}.isdisjoint(headers)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect to the name once more, and could end anywhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving_pages({"/": page()}) as server:
        assert read_page(server, "/") == "<p>News</p>"


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("cms.example", True),
        ("CMS.Example", True),
        ("a.shop.example", True),
        ("a.b.shop.example", True),
        ("xn--bcher-kva.example", True),
        ("bücher.example", True),
        ("shop.example", False),
        ("evilshop.example", False),
        ("www.cms.example", False),
        ("cms.example.evil.example", False),
        ("cms.example.", False),
        ("127.0.0.1", False),
        ("[::1]", False),
        ("2130706433", False),
    ],
)
def test_only_hosts_of_the_list_are_asked(host: str, is_allowed: bool) -> None:
    """A host is on the list by its whole name, or below one that begins with a star."""
    with serving_pages({"/": page()}) as server:
        if is_allowed:
            assert read_page(server, "/", host=host) == "<p>News</p>"
        else:
            with pytest.raises(InvalidInput, match=r"add it to content\.include_hosts"):
                read_page(server, "/", host=host)
            assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://cms.example/",
        "file:///etc/passwd",
        "//cms.example/",
        "cms.example",
        "https://",
        "",
        "https://ada:secret@cms.example/",
        "https://cms.example\\@evil.example/",
        "https://cms.example\r\nX: y/",
        "https://cms.example:port/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    """No other scheme, no log-in, no tricks; a password is not told again."""
    with pytest.raises(InvalidInput) as refused:
        _strictly(url, "1.1.1.1")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254"])
def test_a_host_inside_is_never_asked(address: str) -> None:
    """An allowed name that leads inside is refused before anybody is asked."""
    with pytest.raises(InvalidInput, match=f"cms.example is at {address}"):
        _strictly("http://cms.example/", address)


@pytest.mark.parametrize("inside", ["127.0.0.1", "::ffff:127.0.0.1", "fe80::1%lo"])
def test_one_address_inside_is_enough_to_refuse(inside: str) -> None:
    """A name with a public and a private address is not asked at the public one either."""
    with pytest.raises(InvalidInput, match="not an address of the open network"):
        _strictly("http://cms.example/", "1.1.1.1", inside)


def test_the_strict_rule_is_the_usual_one() -> None:
    """Nothing has to be switched on for loopback to be refused."""
    with serving_pages({"/": page()}) as server:
        with pytest.raises(InvalidInput, match=r"localhost is at (127\.0\.0\.1|::1)"):
            fetch(
                f"http://localhost:{server.port}/",
                hosts=["localhost"],
                seconds_max=PATIENT_S,
                bytes_max=1000,
            )

        assert server.asked == []
        assert set(resolve("localhost")) <= {"127.0.0.1", "::1"}


def test_a_redirect_is_followed() -> None:
    """A page that has moved is found, also under a relative address."""
    pages = {
        "/old": page(b"", status=302, Location="/new"),
        "/new": page(b"", status=301, Location="last?x=1"),
        "/last?x=1": page(b"here"),
    }
    with serving_pages(pages) as server:
        assert read_page(server, "/old") == "here"


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("http://intern.example/", "host intern.example may not be included from"),
        ("http://127.0.0.1/", "host 127.0.0.1 may not be included from"),
        ("file:///etc/passwd", "is no web address"),
        ("https://a:b@cms.example/", "without log-in"),
        ("http://cms.example:x/", "cannot be read: Invalid URL in location"),
        ("/loop", "redirects more than 3 times"),
    ],
)
def test_a_redirect_is_checked_like_the_first_address(target: str, sentence: str) -> None:
    """What may not be asked may not be redirected to."""
    with serving_pages({"/loop": page(b"", status=302, Location=target)}) as server:
        with pytest.raises((InvalidInput, Transient), match=sentence):
            read_page(server, "/loop")

        assert len(server.asked) == (4 if target == "/loop" else 1)


def test_a_redirect_to_an_address_inside_is_refused() -> None:
    """The second host is resolved and checked as the first one was."""
    addresses = {"cms.example": "127.0.0.1", "a.shop.example": "10.0.0.1"}
    target = "http://a.shop.example/"
    with (
        serving_pages({"/": page(b"", status=302, Location=target)}) as server,
        pytest.raises(InvalidInput, match=r"a\.shop\.example is at 10\.0\.0\.1"),
    ):
        fetch(
            f"http://cms.example:{server.port}/",
            hosts=HOSTS,
            seconds_max=PATIENT_S,
            bytes_max=1000,
            # As if the server of this test stood in the open network.
            is_allowed=lambda address: address.is_loopback or is_public(address),
            resolve=lambda host: [addresses[host]],
        )


def test_another_address_is_tried_when_one_does_not_answer() -> None:
    """A host with two addresses is read though the first one is down."""
    with serving_pages({"/": page(b"here")}) as server:
        text = fetch(
            f"http://cms.example:{server.port}/",
            hosts=HOSTS,
            seconds_max=PATIENT_S,
            bytes_max=1000,
            is_allowed=anywhere,
            resolve=lambda _: ["::1", "127.0.0.1"],
        )

    assert text == "here"
