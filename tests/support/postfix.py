"""A Postfix of one's own: temporary folders, loopback only, relaying everything to one port."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

__all__ = ["is_available", "running"]

_SERVICES: Final = """\
127.0.0.1:{port} inet n - n - 50 smtpd
cleanup   unix n - n -     0 cleanup
qmgr      unix n - n 300   1 qmgr
rewrite   unix - - n -     - trivial-rewrite
bounce    unix - - n -     0 bounce
defer     unix - - n -     0 bounce
trace     unix - - n -     0 bounce
proxymap  unix - - n -     - proxymap
smtp      unix - - n -    20 smtp
relay     unix - - n -    20 smtp
error     unix - - n -     - error
retry     unix - - n -     - error
anvil     unix - - n -     1 anvil
scache    unix - - n -     1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
_SETTINGS: Final = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = /dev/stdout
myhostname = relay.localhost
mydestination =
local_transport = error:nobody lives here
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
relayhost = [127.0.0.1]:{sink_port}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtp_tls_security_level = none
"""


def is_available() -> bool:
    """Tell whether Postfix is installed and may be started: it needs root to change users."""
    return shutil.which("postfix") is not None and os.geteuid() == 0


@contextmanager
def running(sink_port: int) -> Iterator[int]:
    """Run Postfix while the block runs; give its port."""
    # Its daemons are other users and must be able to get there.
    home = Path(tempfile.mkdtemp(prefix="postfix-"))
    home.chmod(0o755)
    port = _free_port()
    configuration = home / "etc"
    for name in ("etc", "queue", "data"):
        (home / name).mkdir()
    shutil.chown(home / "data", "postfix")
    (configuration / "main.cf").write_text(_SETTINGS.format(home=home, sink_port=sink_port))
    (configuration / "master.cf").write_text(_SERVICES.format(port=port))
    command = ["postfix", "-c", str(configuration)]
    try:
        with (home / "log").open("wb") as log:
            server = subprocess.Popen([*command, "start-fg"], stdout=log, stderr=log)
        try:
            _wait_until_listening(server, port, home / "log")
            yield port
        finally:
            subprocess.run([*command, "stop"], capture_output=True)
            server.wait(60)
    finally:
        shutil.rmtree(home)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _wait_until_listening(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                if client.recv(100).startswith(b"220"):
                    return
        except OSError:
            Event().wait(0.1)
    raise AssertionError(log.read_text())
