"""What may be wrong with the tracking servers that the links lead to.

On a trial, whose links lead to this machine or network alone, nobody has a public address to
verify: nothing is said of it then (`tracking-host` says that nobody else gets there).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery.typology.host import host_of, is_local
from aftersend.delivery.typology.prepared import Prepared
from aftersend.delivery.typology.rule import finding

__all__ = ["CHECKS"]

_AGE_MAX: Final = timedelta(days=30)
_VERIFY: Final = "`aftersend tracking server verify`"


def _public(prepared: Prepared) -> Iterator[Check]:
    url = prepared.addresses.redirect
    if not prepared.delivery.is_tracked or is_local(host_of(url)):
        return
    known, at = prepared.public_address, prepared.at
    if known is None or (known.verified_at is None and not known.problem):
        yield finding(
            "tracking-server",
            f"Nobody has looked yet whether {url} leads to our tracking servers: {_VERIFY}.",
        )
    elif not known.is_verified:
        yield finding(
            "tracking-server",
            f"{url} did not lead to our tracking servers on {known.checked_at:%Y-%m-%d}:"
            f" {known.problem}",
        )
    elif at - known.checked_at > _AGE_MAX:
        yield finding(
            "tracking-server",
            f"{url} was last looked at {(at - known.checked_at).days} days ago: {_VERIFY}.",
        )


def _servers(prepared: Prepared) -> Iterator[Check]:
    if prepared.delivery.is_tracked:
        for server in prepared.servers:
            if server.problem or not server.is_registered:
                reason = server.problem or f"it was never contacted; {_VERIFY} does."
                yield finding("tracking-server", f"Tracking server {server.id}: {reason}")


CHECKS: Final = (_public, _servers)
