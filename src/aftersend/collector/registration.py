"""Registration: which application a tracking server works for (spec §2.2).

``GET /registration`` tells who this is and whom it works for; ``PUT /registration`` with
``{"instance", "application", "force"}`` makes it work for that application. Both need the
registration password and are answered with::

    {"instance", "servers", "build", "host", "application", "registered_at"}

`servers` are the ids of all tracking servers that share the port. Who comes with the name of
another instance is refused; so is another application than the one before, unless it insists:
two applications that fetch lines of one server would each get a part of them.

The state is one small file, replaced whole, which servers on one machine share.
"""

import asyncio
import fcntl
import json
import re
import socket
from dataclasses import asdict, dataclass
from typing import Any, Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.guard import Answer, Guard, Refusal, body_of
from aftersend.collector.page import JSON_HEADERS
from aftersend.errors import Corruption
from aftersend.platform import files
from aftersend.platform.clock import Clock
from aftersend.platform.release import build

__all__ = ["Registration"]

_PATH: Final = "/registration"
_BODY_BYTES_MAX: Final = 4096
_APPLICATION: Final = re.compile(r"[0-9a-f]{32}")
_NAMES: Final = frozenset(("instance", "application", "force"))


@dataclass(frozen=True, slots=True)
class _State:
    application: str
    registered_at: str


class Registration:
    """Answers the address of the registration, on an event loop."""

    def __init__(self, config: CollectorConfig, clock: Clock) -> None:
        """Prepare; nothing is read before somebody asks."""
        self._config, self._guard, self._clock = config, Guard(config), clock

    def has(self, path: str) -> bool:
        """Tell whether a path is ours."""
        return path == _PATH

    async def answer(self, scope: Any, proto: Any) -> None:
        """Tell the registration, or change it."""
        await self._guard.answer(scope, proto, {"GET": self._tell, "PUT": self._register})

    async def _tell(self, _scope: Any, _proto: Any) -> Answer:
        return self._told(await asyncio.to_thread(self._read))

    async def _register(self, scope: Any, proto: Any) -> Answer:
        raw = await body_of(scope, proto, noun="registration", bytes_max=_BODY_BYTES_MAX)
        asked = _asked(raw)
        ours = self._config.instance
        if asked["instance"] != ours:
            raise Refusal(
                409,
                f"This tracking server belongs to the instance {ours!r}, not to"
                f" {asked['instance'][:64]!r}: set collector.instance alike on both sides.",
            )
        state = await asyncio.to_thread(self._change, asked["application"], asked["force"])
        return self._told(state)

    def _told(self, state: _State | None) -> Answer:
        document = {
            "instance": self._config.instance,
            "servers": list(self._config.server_ids),
            "build": build(),
            "host": socket.gethostname(),
            "application": state.application if state else None,
            "registered_at": state.registered_at if state else None,
        }
        return JSON_HEADERS, json.dumps(document).encode()

    def _change(self, application: str, is_forced: bool) -> _State:
        """Write the registration, one of all servers of the machine at a time."""
        path = self._config.registration_file
        files.make_directory(path.parent)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = None if is_forced else self._read()
            if before is not None and before.application != application:
                raise Refusal(
                    409,
                    "This tracking server is registered by another application since"
                    f" {before.registered_at}: register it with --force to take it over, if that"
                    " one is gone.",
                )
            if before is not None:
                return before
            state = _State(application, f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%fZ}")
            files.write_atomic(path, json.dumps(asdict(state)).encode(), mode=0o600)
        return state

    def _read(self) -> _State | None:
        path = self._config.registration_file
        try:
            document = json.loads(path.read_bytes())
            return _State(str(document["application"]), str(document["registered_at"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Corruption(
                path, "it cannot be read; register the server with --force to write it anew"
            ) from error


def _asked(raw: bytes) -> dict[str, Any]:
    asked: dict[str, Any]
    try:
        asked = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "A registration is a JSON document.") from error
    is_sound = (
        isinstance(asked, dict)
        and asked.keys() == _NAMES
        and isinstance(asked["instance"], str)
        and isinstance(asked["application"], str)
        and _APPLICATION.fullmatch(asked["application"])
        and isinstance(asked["force"], bool)
    )
    if not is_sound:
        raise Refusal(
            400, "A registration has instance, application (32 hex digits) and force (a boolean)."
        )
    return asked
