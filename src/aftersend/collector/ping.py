r"""The signed ping: by it somebody at a distance learns that an address leads to our servers.

``GET /r/ping/<nonce>`` answers ``{"server", "nonce", "signature"}``. The signature is BLAKE2b over
``<server>\0<nonce>``, keyed with a key of the instance, person "aftersend-ping", in hex. Whoever
asks chooses the nonce (16 to 64 of a-z and 0-9), so an old answer proves nothing; nobody without a
key can spell a new one. The person keeps it apart from the tags of tokens: no ping signs a token.

It is public, because it has to come by the way of clicks, and tells no more than the server's id.
"""

import json
import re
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.page import JSON_HEADERS
from aftersend.model.ids import ServerId
from aftersend.model.token import KeyRing

__all__ = ["PATH", "Pings", "is_signed", "signature"]

PATH: Final = "/r/ping/"

_NONCE: Final = re.compile(r"[a-z0-9]{16,64}")
_PERSON: Final = b"aftersend-ping"
_SIGNATURE_BYTES: Final = 32


class Pings:
    """Answers pings, in the thread that read the request."""

    def __init__(self, config: CollectorConfig) -> None:
        """Take id and keys of the server."""
        self._server, self._keys = config.server_id, config.keys

    def answer(self, scope: Any, proto: Any) -> bool:
        """Answer a ping; False when the path is none."""
        path = scope.path
        if not path.startswith(PATH) or not _NONCE.fullmatch(nonce := path[len(PATH) :]):
            return False
        document = {
            "server": self._server,
            "nonce": nonce,
            "signature": signature(self._server, nonce, self._keys.secrets[self._keys.newest]),
        }
        proto.response_bytes(200, JSON_HEADERS, json.dumps(document).encode())
        return True


def signature(server: ServerId, nonce: str, key: bytes) -> str:
    """Sign a ping.

    >>> signature(ServerId("1"), "0123456789abcdef", bytes(32))[:16]
    '03715c1588a42512'
    """
    said = f"{server}\0{nonce}".encode()
    return blake2b(said, key=key, digest_size=_SIGNATURE_BYTES, person=_PERSON).hexdigest()


def is_signed(server: ServerId, nonce: str, given: str, *, keys: KeyRing) -> bool:
    """Tell whether a signature was made with one of our keys, in a time that tells nothing else."""
    found = given.encode(errors="replace")
    # Every key is tried: a server may not know the newest one yet.
    matches = [
        compare_digest(signature(server, nonce, key).encode(), found)
        for key in keys.secrets.values()
    ]
    return any(matches)
