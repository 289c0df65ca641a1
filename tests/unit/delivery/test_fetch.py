"""Reading a page: in time, in size, as text, from whom it says it is."""

import gzip
import ssl
import subprocess
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from aftersend.delivery.fetch import fetch
from aftersend.errors import InvalidInput, Transient
from tests.support.page_server import (
    HOSTS,
    PATIENT_S,
    Page,
    PageServer,
    anywhere,
    here,
    page,
    read_page,
    serving_pages,
)

IMPATIENT_S = 0.4


def _drip(server: Callable[[], PageServer], first: bytes, again: bytes) -> Page:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(first)
        while not server().released.wait(0.02):
            handler.wfile.write(again)

    return answer


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 900\r\n\r\n", b"z"),
    ],
)
def test_a_slow_server_is_left_in_time(first: bytes, again: bytes) -> None:
    """The time is for everything: silence, headers and bodies that come by the byte."""
    running: list[PageServer] = []
    with serving_pages({"/": _drip(lambda: running[0], first, again)}) as server:
        running.append(server)
        begun = time.monotonic()
        with pytest.raises(Transient, match=r"was not read within 0\.4 seconds"):
            read_page(server, "/", seconds=IMPATIENT_S)

        assert time.monotonic() - begun < PATIENT_S / 2


def test_a_resolver_that_hangs_is_left_in_time() -> None:
    """The question for the address counts into the time."""
    answered = Event()

    def hang(_host: str) -> Sequence[str]:
        answered.wait(PATIENT_S)
        return ["127.0.0.1"]

    begun = time.monotonic()
    try:
        with pytest.raises(Transient, match="was not read within"):
            fetch(
                "http://cms.example/",
                hosts=HOSTS,
                seconds_max=IMPATIENT_S,
                bytes_max=1,
                resolve=hang,
            )
        assert time.monotonic() - begun < PATIENT_S / 2
    finally:
        answered.set()


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 4096)


def test_an_endless_body_is_not_read_to_its_end() -> None:
    """The size is counted while it comes."""
    with (
        serving_pages({"/": _endless}) as server,
        pytest.raises(InvalidInput, match="has more than 1,000 bytes"),
    ):
        read_page(server, "/")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"x" * 1000, "x" * 1000),
        (b"x" * 1001, "has more than 1,000 bytes"),
        (gzip.compress(b"x" * 1000, mtime=0), "x" * 1000),
        (gzip.compress(b"x" * 1001, mtime=0), "has more than 1,000 bytes"),
        (gzip.compress(bytes(10_000_000), mtime=0), "has more than 1,000 bytes"),
        (gzip.compress(b"x" * 900, mtime=0)[:-4], "ends too early"),
        (b"\x1f\x8bnonsense that is no stream", "is packed wrongly"),
    ],
)
def test_the_size_is_that_of_the_unpacked_page(body: bytes, outcome: str) -> None:
    """The longest page is read, one byte more is refused, and so is a bomb."""
    is_packed = body.startswith(b"\x1f\x8b")
    answer = page(body, Content_Encoding="gzip") if is_packed else page(body)
    with serving_pages({"/": answer}) as server:
        if " " not in outcome:
            assert read_page(server, "/") == outcome
        else:
            with pytest.raises((InvalidInput, Transient), match=outcome):
                read_page(server, "/")


def test_a_bomb_is_not_unpacked() -> None:
    """No more is unpacked than may be read."""
    bomb = gzip.compress(bytes(30_000_000), 1)
    with serving_pages({"/": page(bomb, Content_Encoding="gzip")}) as server:
        tracemalloc.start()
        try:
            with pytest.raises(InvalidInput, match="has more than 1,000 bytes"):
                read_page(server, "/")
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak_bytes < 10_000_000


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (page(status=404), "answers 404, not 200"),
        (page(status=304), "answers 304, not 200"),
        (page(status=302), "answers 302, not 200"),
        (page(kind="application/json"), "is application/json, not text"),
        (page(kind="image/png"), "is image/png, not text"),
        (page(kind=""), "is of no type, not text"),
        (page(Content_Encoding="br"), "packed as 'br'"),
        (page(b"\xff", kind="text/html; charset=utf-8"), "is not text in utf-8"),
        (page(b"\xff"), "is not text in UTF-8"),
        (page(b"x", kind="text/plain; charset=klingon"), "is not text in klingon"),
        (page(b"00", kind="text/plain; charset=hex"), "is not text in hex"),
    ],
)
def test_what_is_no_text_is_refused(answer: Page, sentence: str) -> None:
    """Only pages that are there and are text are included."""
    with (
        serving_pages({"/": answer}) as server,
        pytest.raises((InvalidInput, Transient), match=sentence),
    ):
        read_page(server, "/")


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"caf\xe9", "text/html; charset=ISO-8859-1", "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "text/plain", "café"),
        (b"<meta charset='latin1'>\xe9", "text/html", "<meta charset='latin1'>é"),
        (b"<meta charset=x>\xc3\xa9", "text/html; charset=utf-8", "<meta charset=x>é"),
        (b"<p/>", "application/xhtml+xml", "<p/>"),
        (b"", "text/html", ""),
    ],
)
def test_the_charset_of_a_page_is_respected(body: bytes, kind: str, text: str) -> None:
    """The header decides, then the page itself, else it is UTF-8."""
    with serving_pages({"/": page(body, kind=kind)}) as server:
        assert read_page(server, "/") == text


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [(OSError("no such name"), "cms.example is not known"), ([], "has no address")],
)
def test_a_host_that_is_not_there_is_told(
    addresses: Sequence[str] | OSError, sentence: str
) -> None:
    """A name that nobody knows may be known later."""

    def answer(_host: str) -> Sequence[str]:
        if isinstance(addresses, OSError):
            raise addresses
        return addresses

    with pytest.raises(Transient, match=sentence):
        fetch("http://cms.example/", hosts=HOSTS, seconds_max=9, bytes_max=9, resolve=answer)


def test_a_server_that_is_down_is_told() -> None:
    """Nobody listens: the sentence names the page."""
    with serving_pages({}) as server:
        pass
    with pytest.raises(Transient, match=f"The page http://cms.example:{server.port}/ cannot be"):
        read_page(server, "/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a certificate for cms.example that signed itself; its key stands beside it."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=cms.example", "-addext", "subjectAltName=DNS:cms.example"),
            *("-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return directory / "certificate.pem"


@pytest.fixture
def secure(certificate: Path) -> Iterator[PageServer]:
    """Give a server of cms.example with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    pages = {"/": page(b"safe"), "/down": page(b"", status=302, Location="http://cms.example/")}
    with serving_pages(pages, tls=context) as server:
        yield server


def _securely(server: PageServer, host: str, path: str = "/") -> str:
    return fetch(
        f"https://{host}:{server.port}{path}",
        hosts=HOSTS,
        seconds_max=PATIENT_S,
        bytes_max=1000,
        is_allowed=anywhere,
        resolve=here,
    )


def test_a_certificate_is_for_the_name_and_not_for_the_address(
    secure: PageServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the connection goes to an address, the certificate has to name the host."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert _securely(secure, "cms.example") == "safe"
    with pytest.raises(Transient, match=r"a\.shop\.example.*certificate"):
        _securely(secure, "a.shop.example")
    with pytest.raises(InvalidInput, match="redirects from https to http"):
        _securely(secure, "cms.example", "/down")


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: PageServer) -> None:
    """Who merely says to be the host is not believed."""
    with pytest.raises(Transient, match="certificate"):
        _securely(secure, "cms.example")
