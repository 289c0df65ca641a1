"""A demo instance: a month of mail to a made-up audience, collected and ready to look at."""

import shutil
from contextlib import closing
from pathlib import Path
from socket import socket
from threading import Event
from typing import TYPE_CHECKING, Final

from aftersend.cli.output import say
from aftersend.cli.run import Wanted, run_until
from aftersend.cli.simulate import Wish, simulate
from aftersend.errors import InvalidInput, Transient
from aftersend.platform.process import stop_on_signals

if TYPE_CHECKING:
    import httpx

    from aftersend.app import Instance

__all__ = ["check", "show"]

_OPERATOR: Final = "demo"
_PASSWORD: Final = "demo-demo"  # noqa: S105 - printed for everybody; the demo listens on loopback
_WISH: Final = Wish(recipients=400, deliveries=4, days=14, seed=7)
_MARK: Final = "demo-instance"
_SETTINGS: Final = "\n[content]\nhas_honeypot = true\n"


def show(directory: Path) -> None:
    """Make the demo and run it until Ctrl-C."""
    stop = Event()
    stop_on_signals(stop)
    wanted = _make(directory)
    run_until(stop, wanted, on_ready=_tell)


def check(directory: Path) -> None:
    """Make the demo, start it, ask its pages once and stop.

    Raises:
        AftersendError: a page is not as it should be.
    """
    stop = Event()
    wanted = _make(directory)

    def ask(opened: "Instance") -> None:
        _tell(opened)
        _ask_pages(opened)
        stop.set()

    run_until(stop, wanted, on_ready=ask)


def _make(directory: Path) -> Wanted:
    """Make the demo anew; a folder that is no demo is never touched.

    Raises:
        InvalidInput: something else stands there.
    """
    from aftersend.app import open_instance, remember_addresses, run_workflow
    from aftersend.cli.instance import make
    from aftersend.database import operators
    from aftersend.settings.file import FILE_NAME

    if directory.exists() and any(directory.iterdir()):
        if not (directory / "var" / _MARK).exists():
            raise InvalidInput(
                f"{directory} is no demo: it was left as it is. Name another folder."
            )
        shutil.rmtree(directory)
    make(directory)
    (directory / "var" / _MARK).touch()
    with (directory / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write(_SETTINGS)
    opened = open_instance(directory)
    web, collector = opened.settings.web, opened.settings.collector
    wanted = Wanted(
        directory,
        port=_free_port(web.host, web.port),
        collector_port=_free_port(collector.host, collector.port),
        has_sink=True,
    )
    remember_addresses(
        opened.directory,
        app=f"http://{web.host}:{wanted.port}",
        collector=f"http://{collector.host}:{wanted.collector_port}",
    )
    with opened.database.write() as connection:
        at = opened.clock.now()
        operators.add(connection, name=_OPERATOR, password=_PASSWORD, at=at)
    say(f"Sending {_WISH.deliveries} deliveries to {_WISH.recipients} people who do not exist …")
    done = simulate(directory, _WISH)
    say(f"{done.messages:,} messages, {done.hits:,} opens and clicks; collecting them …")
    run_workflow(opened, "tracking").check()
    return wanted


def _free_port(host: str, wished: int) -> int:
    for port in (wished, 0):
        with closing(socket()) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Transient(f"There is no free port on {host}.")


def _tell(opened: "Instance") -> None:
    say("")
    say(f"Pages            {opened.app_url}")
    say(f"Log in as        {_OPERATOR}, password {_PASSWORD}")
    say(f"Tracking server  {opened.redirect_url}")
    say(f"Mail goes to     {opened.var / 'outbox'}")
    say("Stop with Ctrl-C.")


def _ask_pages(opened: "Instance") -> None:
    import httpx

    with httpx.Client(base_url=opened.app_url, follow_redirects=True, timeout=30) as client:
        form = _page(client, "/login", "Log in").text
        token = form.partition('name="_csrf_token" value="')[2].partition('"')[0]
        answer = client.post(
            "/login",
            data={"name": _OPERATOR, "password": _PASSWORD, "next": "/", "_csrf_token": token},
        )
        if "Spring collection" not in answer.text:
            raise Transient("Nobody can log in to the demo.")
        _page(client, "/deliveries/1", "Harbour")
        _page(client, "/deliveries/1/tracking", "Distinct opens")
        _page(client, "/deliveries/1/tracking/logs", "Email click")
        _page(client, "/recipients/1", ".example")
        _page(client, "/workflows/tracking", "Tracking")
    httpx.get(f"{opened.redirect_url}/r/test").raise_for_status()


def _page(client: "httpx.Client", path: str, words: str) -> "httpx.Response":
    page = client.get(path)
    if not page.is_success or words not in page.text:
        raise Transient(f"The page {path} answers {page.status_code} and lacks {words!r}.")
    return page
