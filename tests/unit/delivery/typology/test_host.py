"""Hosts of addresses, and which belong together."""

import pytest

from aftersend.delivery.typology.host import base_domain, host_of, is_local


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://User@Shop.Example:8080/x", "shop.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("http://[::1]:80/", "::1"),
        ("https://[::1/", ""),
        ("https://ö..example/", ""),
        ("nothing", ""),
    ],
)
def test_the_host_is_spelled_in_ascii(url: str, host: str) -> None:
    """Two spellings of one host are one; what has none gives an empty text."""
    assert host == host_of(url)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com.", "example.com"),
        ("t.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("com.example.de", "example.de"),
        ("localhost", "localhost"),
        ("192.168.0.1", "192.168.0.1"),
    ],
)
def test_a_domain_is_what_somebody_registered(host: str, domain: str) -> None:
    """Usually the last two names, three where the second is a kind of organisation."""
    assert domain == base_domain(host)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("demo.localhost", True),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("::1", True),
        ("8.8.8.8", False),
        ("localhost.example", False),
    ],
)
def test_some_hosts_are_ours_alone(host: str, is_ours: bool) -> None:
    """Names and addresses that lead nowhere from outside are known."""
    assert is_ours == is_local(host)
