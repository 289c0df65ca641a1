"""Debian's nginx before tracking servers, as people set it up: TLS, and one after the other."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.running import comes_true, free_port, is_listening

__all__ = ["nginx", "nginx_with"]

_CONFIGURATION = """\
daemon off;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path %(folder)s/body;
  proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  %(text)s
}
"""
_SERVERS = """
  upstream servers { %(upstream)s }
  server {
    listen 127.0.0.1:%(port)d%(tls)s;
    %(certificate)s
    location / { proxy_pass http://servers; }
  }
"""


@contextmanager
def nginx(
    folder: Path, upstream: Sequence[str], certificate: trustme.LeafCert | None = None
) -> Iterator[str]:
    """Lead to each of some addresses in turn, by TLS if there is a certificate; give the URL."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ""
    if certificate is not None:
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        lines = f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"
    port = free_port()
    values = {
        "port": port,
        "tls": " ssl" if certificate else "",
        "certificate": lines,
        "upstream": " ".join(f"server {url.removeprefix('http://')};" for url in upstream),
    }
    with nginx_with(folder, _SERVERS % values, port):
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"


@contextmanager
def nginx_with(folder: Path, text: str, port: int) -> Iterator[None]:
    """Run it with what an administrator has written, until the block ends; `port` is in there."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("nginx is missing: apt-get install nginx")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(_CONFIGURATION % {"folder": folder, "text": text})
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    try:
        assert comes_true(lambda: is_listening(port), 20)
        yield
    finally:
        process.terminate()
        process.wait()
