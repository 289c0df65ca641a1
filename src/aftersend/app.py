"""The one place that builds and wires everything.

An instance is a folder: `aftersend.toml` and `var/`. Time, randomness and files are made here and
handed down as arguments.
"""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aftersend import settings as settings_file
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.errors import InvalidInput, InvalidSettings, NotFound
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock, SystemClock
from aftersend.platform.entropy import Entropy, SystemEntropy
from aftersend.platform.files import make_directory, write_atomic
from aftersend.settings import Settings
from aftersend.workflow import technical
from aftersend.workflow.definition import Definition, register

if TYPE_CHECKING:
    from aftersend.content import Addresses
    from aftersend.delivery.mail_server import MailServer
    from aftersend.delivery.office import PostOffice
    from aftersend.delivery.registration import Registry
    from aftersend.lake.machines import Rules
    from aftersend.lake.table import Lake
    from aftersend.model.ids import DeliveryId
    from aftersend.tracking.rejected import Retried
    from aftersend.web.services import Services
    from aftersend.workflow.engine import RunResult
    from aftersend.workflow.scheduler import Scheduler
    from aftersend.workflow.surroundings import Surroundings

__all__ = [
    "Instance",
    "embedded_collector",
    "init",
    "mail_server",
    "open_instance",
    "post_office",
    "recompute",
    "registry",
    "remember_addresses",
    "retry_rejected",
    "rules",
    "run_workflow",
    "scheduler",
    "surroundings",
    "web_services",
    "workflows",
]

_TEMPLATE: Final = """\
# An Aftersend instance. Secrets live here: keep this file to yourself.

[keys]
# Keys of tracking tokens: new messages use the highest number. Add keys, never remove one:
# links in mail already sent are verified with the key they were made with.
1 = "{key}"

[collector]
# external_url = "https://t.example.com"    # public base of the links in messages
password = "{password}"

[web]
# external_url = "https://mail.example.com"  # public base of mirror and unsubscription pages
secret = "{secret}"

[smtp]
# host = "smtp.example.com"                  # without a host: the local sink of `aftersend up`
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """An opened instance: its folder, settings, control plane, clock and randomness."""

    directory: Path
    settings: Settings
    database: Database
    clock: Clock
    entropy: Entropy

    @property
    def var(self) -> Path:
        """Give the folder of everything that changes."""
        return self.directory / "var"

    @property
    def catalogue(self) -> Path:
        """Give the folder of catalogue files."""
        return self.var / "catalogue"

    @property
    def spool(self) -> Path:
        """Give the folder that holds one spool a local tracking server."""
        return self.var / "spool"

    @property
    def keys(self) -> KeyRing:
        """Give the keys of tracking tokens."""
        return KeyRing(self.settings.secrets)

    @property
    def redirect_url(self) -> str:
        """Give the public base of tracked links."""
        return self.settings.collector.external_url or self.collector_url

    @property
    def collector_url(self) -> str:
        """Give where the tracking server of this machine listens."""
        collector = self.settings.collector
        known = _read_addresses(self.directory).get("collector")
        return known or f"http://{collector.host}:{collector.port}"

    @property
    def app_url(self) -> str:
        """Give the public base of mirror and unsubscription pages."""
        web = self.settings.web
        known = web.external_url or _read_addresses(self.directory).get("app")
        return known or f"http://{web.host}:{web.port}"

    @property
    def addresses(self) -> "Addresses":
        """Give both public bases as the preparation of messages takes them."""
        from aftersend.content import Addresses

        return Addresses(redirect=self.redirect_url, app=self.app_url, others=self._branded())

    @property
    def brands(self) -> "Mapping[str, Addresses]":
        """Give the public bases of each brand, by name; what it does not name is as without it."""
        usual = self.addresses
        named = dict(zip(self.settings.brands, self._branded(), strict=True))
        return {
            name: replace(one, others=(replace(usual, others=()), *named.values()))
            for name, one in named.items()
        }

    def _branded(self) -> "tuple[Addresses, ...]":
        from aftersend.content import Addresses

        return tuple(
            Addresses(
                redirect=brand.tracking_url or self.redirect_url, app=brand.app_url or self.app_url
            )
            for brand in self.settings.brands.values()
        )

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Give the host and port that messages are handed to.

        Raises:
            InvalidSettings: none is set and no local sink was ever started.
        """
        smtp = self.settings.smtp
        if smtp.host:
            return smtp.host, smtp.port
        sink = _read_addresses(self.directory).get("smtp")
        if sink is None:
            raise InvalidSettings(
                "There is no mail server to send to: set smtp.host in aftersend.toml, or start the"
                " local sink with `aftersend up --smtp-sink`."
            )
        host, _, port = sink.rpartition(":")
        return host, int(port)

    def lake(self) -> "Lake":
        """Open the data plane; imported late, it is not needed for every command."""
        from aftersend.lake.table import Lake

        options = self.settings.lake
        url = options.url or str(self.var / "lake")
        return Lake.open(url, options=dict(options.options), clock=self.clock)


def init(directory: Path, *, entropy: Entropy) -> None:
    """Make an instance in the empty or missing folder `directory`, with secrets of its own.

    Raises:
        InvalidInput: there is one already, or the folder cannot be written.
    """
    file = directory / settings_file.FILE_NAME
    if file.exists():
        raise InvalidInput(f"{directory} is an instance already; it was left as it is.")
    try:
        make_directory(directory)
        make_directory(directory / "var", mode=0o700)
        text = _TEMPLATE.format(
            key=entropy.bytes(32).hex(),
            password=entropy.bytes(16).hex(),
            secret=entropy.bytes(32).hex(),
        )
        write_atomic(file, text.encode(), mode=0o600)
    except OSError as error:
        raise InvalidInput(f"No instance can be made in {directory}: {error.strerror}.") from error


def open_instance(
    directory: Path, *, clock: Clock | None = None, entropy: Entropy | None = None
) -> Instance:
    """Open the instance in `directory` and bring its control plane up to date.

    Raises:
        InvalidSettings: there is none, or its settings or its database cannot be used.
    """
    directory = directory.absolute()
    settings = settings_file.load(directory)
    var = directory / "var"
    for name in ("catalogue", "spool", "inbox", "outbox", "run", "sending", "sessions"):
        make_directory(var / name)
    url = settings.database.url or f"sqlite:///{var / 'aftersend.sqlite'}"
    database = Database(open_engine(url))
    migrate(database.engine)
    opened = Instance(
        directory=directory,
        settings=settings,
        database=database,
        clock=clock or SystemClock(),
        entropy=entropy or SystemEntropy(),
    )
    # Who it is and when it runs is enough here: its steps bring the whole data plane along.
    register(database, technical.declarations(settings), clock=opened.clock)
    return opened


def remember_addresses(directory: Path, **addresses: str) -> None:
    """Keep where the parts listen, so that other commands find them."""
    known = {**_read_addresses(directory), **addresses}
    path = directory / "var" / "run" / "addresses.json"
    make_directory(path.parent)
    write_atomic(path, json.dumps(known, indent=1).encode())


def post_office(opened: Instance) -> "PostOffice":
    """Give what preparing and sending deliveries stand on.

    Raises:
        InvalidSettings: the level of an analysis check is set that there is not.
    """
    from aftersend.delivery.office import PostOffice
    from aftersend.delivery.typology import check_levels

    settings = opened.settings
    check_levels(settings.delivery.checks)
    include = settings.content.include_folder
    return PostOffice(
        database=opened.database,
        clock=opened.clock,
        keys=opened.keys,
        addresses=opened.addresses,
        brands=opened.brands,
        catalogue=opened.catalogue,
        sending=opened.var / "sending",
        password=settings.collector.password,
        message_id_domain=settings.delivery.message_id_domain,
        content=settings.content,
        checks=settings.delivery.checks,
        proof_size_max=settings.delivery.proof_size_max,
        include=opened.directory / (include or "include"),
    )


def registry(opened: Instance) -> "Registry":
    """Give what registering and verifying tracking servers stands on."""
    from aftersend.delivery.registration import Registry

    return Registry(
        office=post_office(opened),
        entropy=opened.entropy,
        instance=opened.settings.collector.instance,
        var=opened.var,
        local_url=opened.collector_url,
    )


def mail_server(opened: Instance) -> "MailServer":
    """Tell where messages are handed over.

    Raises:
        InvalidSettings: no server is set and no local sink was ever started.
    """
    from aftersend.delivery.mail_server import MailServer

    host, port = opened.smtp_address
    smtp = opened.settings.smtp
    return MailServer(
        host=host,
        port=port,
        user=smtp.user,
        password=smtp.password,
        is_tls=smtp.is_tls,
        is_starttls=smtp.is_starttls,
        connections=smtp.connections,
        timeout_s=smtp.timeout_s,
        name=socket.gethostname(),
    )


@contextmanager
def embedded_collector(opened: Instance, *, server_id: str | None = None) -> Iterator[str]:
    """Run a tracking server inside this process, on the clock of the instance; give its address.

    Its only visitors are made up and on this machine, so their word on addresses counts.
    """
    from aftersend.collector.config import configured
    from aftersend.collector.embedded import running

    config = configured(opened.directory, opened.settings, server_id=server_id)
    config = replace(config, trusted_proxies=("127.0.0.1",))
    with running(config, opened.clock, opened.entropy) as base_url:
        yield base_url


def rules(opened: Instance) -> "Rules":
    """Give the rules about machines, with the windows and the user agents of an instance."""
    from aftersend.reports.scope import rules_of

    return rules_of(opened.database, opened.settings)


def web_services(opened: Instance) -> "Services":
    """Give what the pages stand on."""
    from aftersend.web.services import Services

    return Services(
        office=post_office(opened),
        lake=opened.lake(),
        settings=opened.settings,
        entropy=opened.entropy,
        sessions=opened.var / "sessions",
        run_workflow=partial(run_workflow, opened),
        simulate_workflow=partial(run_workflow, opened, is_simulated=True),
        recompute=partial(recompute, opened),
        retry_rejected=partial(retry_rejected, opened),
        local_url=opened.collector_url,
    )


def scheduler(opened: Instance) -> "Scheduler":
    """Give what runs workflows when they are due."""
    from aftersend.workflow.notice import alarm
    from aftersend.workflow.owner import Owner
    from aftersend.workflow.scheduler import Scheduler

    given = surroundings(opened)
    definitions, owner = technical.technical(given), Owner.current()
    return Scheduler(opened.database, definitions, opened.clock, owner, alarm(given))


def workflows(opened: Instance) -> Sequence["Definition[Any]"]:
    """Define the technical workflows of an instance (spec §9.2)."""
    return technical.technical(surroundings(opened))


def surroundings(opened: Instance) -> "Surroundings":
    """Give what technical workflows stand on."""
    from aftersend.workflow.surroundings import Surroundings

    return Surroundings(
        settings=opened.settings,
        database=opened.database,
        clock=opened.clock,
        var=opened.var,
        app_url=opened.app_url,
        instance=opened.settings.collector.instance,
        lake=opened.lake,
        office=partial(post_office, opened),
        registry=partial(registry, opened),
        mail_server=partial(mail_server, opened),
    )


def run_workflow(
    opened: Instance, name: str, operator: str = "", *, is_simulated: bool = False
) -> "RunResult":
    """Run a workflow now, though it is paused or not due; `operator` is who asks for it.

    A simulated run tells what it would do, and changes nothing.

    Raises:
        NotFound: there is none of this name.
        Busy: it is being run.
    """
    from aftersend.workflow import engine
    from aftersend.workflow.notice import alarm
    from aftersend.workflow.owner import Owner

    for definition in workflows(opened):
        if definition.name == name:
            return engine.run(
                opened.database,
                definition,
                clock=opened.clock,
                owner=Owner.current(),
                is_forced=True,
                is_simulated=is_simulated,
                operator=operator,
                alarm=alarm(surroundings(opened)),
            )
    raise NotFound("workflow", name)


def recompute(
    opened: Instance, deliveries: "Sequence[DeliveryId] | None", operator: str = ""
) -> int:
    """Compute the statistics of some deliveries anew (none named: all); tell how many.

    `operator` is who asks for it: the audit trail names who and which.
    """
    from aftersend.database import audit
    from aftersend.tracking import consolidate
    from aftersend.workflow.tracking import context

    with context(surroundings(opened)) as given:
        count = consolidate.recompute(given, deliveries)
    names = ["all"] if deliveries is None else [str(number) for number in deliveries]
    with opened.database.write() as connection:
        for name in names:
            entry = audit.AuditEntry(opened.clock.now(), "delivery", name, "recompute", operator)
            audit.write(connection, entry)
    return count


def retry_rejected(opened: Instance, reason: str = "", operator: str = "") -> "Retried":
    """Try the rejected lines of a reason again (empty: all); `operator` is who asks for it."""
    from aftersend.tracking import rejected
    from aftersend.workflow.tracking import context

    with context(surroundings(opened)) as given:
        return rejected.retry(given, reason=reason or None, operator=operator)


def _read_addresses(directory: Path) -> Mapping[str, str]:
    path = directory / "var" / "run" / "addresses.json"
    try:
        addresses: Mapping[str, str] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return addresses
