"""Starting servers: everything at once, only the app, or only a tracking server."""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread, get_native_id
from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.output import InstanceOption, instance_directory, say
from aftersend.errors import Transient

if TYPE_CHECKING:
    from aftersend.app import Instance
    from aftersend.collector.config import CollectorConfig
    from aftersend.platform.process import Supervisor

__all__ = ["Wanted", "register", "run_until"]

PortOption = Annotated[int | None, typer.Option("--port", min=1, max=65535)]
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 0.1
_START_SECONDS_MAX = 60.0


def register(root: typer.Typer) -> None:
    """Add the commands of this module."""
    root.command()(up)
    root.command()(serve)
    root.command()(collector)


def up(
    instance: InstanceOption = None,
    port: PortOption = None,
    collector_port: Annotated[
        int | None, typer.Option("--collector-port", min=1, max=65535)
    ] = None,
    has_sink: Annotated[
        bool,
        typer.Option("--smtp-sink", help="Add a local mail sink that fills var/outbox."),
    ] = False,
) -> None:
    """Run the app, the tracking server and the scheduler until Ctrl-C."""
    from aftersend.platform.process import stop_on_signals

    stop = Event()
    stop_on_signals(stop)
    wanted = Wanted(instance_directory(instance), port, collector_port, has_sink)
    run_until(stop, wanted, on_ready=_print_addresses)


def serve(instance: InstanceOption = None, port: PortOption = None) -> None:
    """Run only the app."""
    from aftersend.app import open_instance, web_services
    from aftersend.web.server import serve as serve_pages

    opened = open_instance(instance_directory(instance))
    web = opened.settings.web
    serve_pages(web_services(opened), host=web.host, port=port or web.port)


def collector(
    instance: InstanceOption = None,
    server_id: Annotated[str | None, typer.Option("--server-id", metavar="S")] = None,
    port: PortOption = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=62, help="Processes; each takes the next server id."),
    ] = None,
    beside: Annotated[str, typer.Option("--beside", hidden=True)] = "",
    listener: Annotated[int | None, typer.Option("--listener", hidden=True)] = None,
) -> None:
    """Run only a tracking server, or several on one port; they need no database."""
    import socket

    from aftersend import settings
    from aftersend.collector.config import configured, server_ids_from
    from aftersend.collector.server import serve as serve_collector
    from aftersend.model.ids import ServerId

    directory = instance_directory(instance)
    loaded = settings.load(directory)
    first = ServerId(server_id or loaded.collector.server_id)
    if listener is not None:
        server_ids = tuple(ServerId(each) for each in beside)
        config = configured(directory, loaded, server_id=first, port=port, server_ids=server_ids)
        serve_collector(config, listener=socket.socket(fileno=listener))
        return
    server_ids = server_ids_from(first, workers or loaded.collector.workers)
    config = configured(directory, loaded, server_id=first, port=port, server_ids=server_ids)
    if len(server_ids) == 1:
        serve_collector(config)
    else:
        _supervise(directory, config)


def _supervise(directory: Path, config: "CollectorConfig") -> None:
    from aftersend.collector.workers import supervise
    from aftersend.platform.clock import SystemClock

    beside = "".join(config.server_ids)

    def command(server_id: str, listener: int) -> list[str]:
        options = {
            "--instance": str(directory),
            "--server-id": server_id,
            "--port": str(config.port),
            "--beside": beside,
            "--listener": str(listener),
        }
        words = [word for option in options.items() for word in option]
        return [sys.executable, "-m", "aftersend", "collector", *words]

    supervise(config, command, SystemClock())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run, and where; a missing port is the one in the settings."""

    directory: Path
    port: int | None = None
    collector_port: int | None = None
    has_sink: bool = False


def run_until(
    stop: Event, wanted: Wanted, *, on_ready: "Callable[[Instance], None] | None" = None
) -> None:
    """Run everything until `stop` is set; `on_ready` is called once all parts answer.

    Raises:
        AftersendError: a part cannot start; the sentence says which and why.
    """
    from aftersend.app import open_instance, remember_addresses

    opened = open_instance(wanted.directory)
    with ExitStack() as stack:
        addresses = _addresses(opened, wanted)
        if wanted.has_sink:
            from aftersend.delivery import sink

            smtp_port = stack.enter_context(sink.running(opened.var / "outbox"))
            addresses["smtp"] = f"127.0.0.1:{smtp_port}"
        remember_addresses(opened.directory, **addresses)
        supervisor = _supervisor(opened, addresses)
        stack.callback(supervisor.stop)
        supervisor.start()
        _wait_until_ready(supervisor, addresses, stop)
        if on_ready is not None:
            on_ready(opened)
        # A run may take minutes: it must not keep a fallen tracking server from its new start.
        jobs = Thread(target=_run_workflows, args=(opened, stop), name="scheduler")
        stack.callback(jobs.join)
        stack.callback(stop.set)
        jobs.start()
        while not stop.wait(_LOOK_SECONDS):
            supervisor.look_after()


def _run_workflows(opened: "Instance", stop: Event) -> None:
    """Run what is due, behind the tracking server: nobody's click waits for statistics."""
    from aftersend.app import scheduler
    from aftersend.platform.scheduling import WORKFLOW_NICE, let_others_first

    # Nice only now: whoever asks for the end waits for what is being imported.
    ready = scheduler(opened)
    let_others_first(get_native_id(), WORKFLOW_NICE)
    ready.loop(stop)


def _addresses(opened: "Instance", wanted: Wanted) -> dict[str, str]:
    web, collector = opened.settings.web, opened.settings.collector
    return {
        "app": _address(web.host, wanted.port or web.port),
        "collector": _address(collector.host, wanted.collector_port or collector.port),
    }


def _address(host: str, port: int) -> str:
    """Spell where something that listens on `host` is found from this machine.

    >>> _address("::1", 8080), _address("::", 8080), _address("a.example", 8080)
    ('http://[::1]:8080', 'http://[::1]:8080', 'http://a.example:8080')
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _supervisor(opened: "Instance", addresses: Mapping[str, str]) -> "Supervisor":
    from aftersend.platform.process import Supervisor

    def command(name: str, part: str) -> list[str]:
        port = addresses[part].rpartition(":")[2]
        directory = str(opened.directory)
        return [sys.executable, "-m", "aftersend", name, "--instance", directory, "--port", port]

    return Supervisor(
        {"collector": command("collector", "collector"), "app": command("serve", "app")},
        opened.clock,
    )


def _wait_until_ready(supervisor: "Supervisor", addresses: Mapping[str, str], stop: Event) -> None:
    import httpx

    paths = {"collector": "/r/test", "app": "/health"}
    waiting = set(paths)
    for _ in range(int(_START_SECONDS_MAX / _ASK_SECONDS)):
        for name in sorted(waiting):
            if supervisor.has_ended(name):
                raise Transient(f"The {name} could not start on {addresses[name]}; see above.")
            try:
                httpx.get(addresses[name] + paths[name], timeout=_LOOK_SECONDS).raise_for_status()
            except httpx.HTTPError:
                continue
            waiting.discard(name)
        if not waiting or stop.wait(_ASK_SECONDS):
            return
    raise Transient(f"The {' and the '.join(sorted(waiting))} did not answer in a minute.")


def _print_addresses(opened: "Instance") -> None:
    say(f"Pages            {opened.app_url}")
    say(f"Tracking server  {opened.redirect_url}")
    say("Stop with Ctrl-C.")
