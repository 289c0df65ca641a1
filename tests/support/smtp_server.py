"""A mail server that says what a test wants, on a port of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

__all__ = ["HANG_UP", "ScriptedServer", "Taken", "running", "serving"]

HANG_UP = ""
"""An answer that is none: the connection is closed instead."""

_USUAL = {"MAIL": "250 OK", "RCPT": "250 OK", "DATA": "354 Go on", "END": "250 2.0.0 Kept"}

Answer = Callable[[str, str], str | None]
"""Takes a verb (END for the end of a message) and the line; None for the usual answer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was accepted."""

    sender: str
    recipient: str
    data: bytes


@dataclass(slots=True)
class ScriptedServer:
    """What a server says, and what it saw."""

    extensions: Sequence[str] = ("PIPELINING", "SMTPUTF8")
    answer: Answer = lambda _verb, _line: None
    greeting: str = "220 hello"
    port: int = 0
    connections: int = 0
    lines: list[str] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.greeting}\r\n".encode())
        sender = recipient = ""
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line.partition(" ")[0].upper()
            self.lines.append(line)
            if verb == "EHLO" and self.answer(verb, line) is None:
                names = "".join(f"250-{name}\r\n" for name in self.extensions)
                writer.write(f"250-server\r\n{names}250 HELP\r\n".encode())
                continue
            said = self._say(verb, line)
            if verb == "MAIL":
                sender, recipient = line if said.startswith("2") else "", ""
            if verb == "RCPT":
                recipient = line if said.startswith("2") and sender else ""
            if verb == "DATA" and not recipient and self.answer(verb, line) is None:
                said = "503 Who is it for?"
            if said == HANG_UP:
                return
            writer.write(f"{said}\r\n".encode())
            if verb == "QUIT":
                return
            if said.startswith("354"):
                data = await self._read_data(reader)
                said = self._say("END", recipient)
                if said == HANG_UP:
                    return
                if said.startswith("2"):
                    self.taken.append(Taken(sender, recipient, data))
                writer.write(f"{said}\r\n".encode())

    async def _read_data(self, reader: asyncio.StreamReader) -> bytes:
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _say(self, verb: str, line: str) -> str:
        said = self.answer(verb, line)
        return _USUAL.get(verb, "250 OK") if said is None else said


@asynccontextmanager
async def running(
    server: ScriptedServer, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Let a server talk while the block runs; its `port` is then known."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", server.port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        talks = asyncio.all_tasks() - {asyncio.current_task()}
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@contextmanager
def serving(server: ScriptedServer) -> Iterator[ScriptedServer]:
    """Let a server talk in a thread of its own, for code that is not asynchronous."""
    is_ready = Event()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        async with running(server):
            is_ready.set()
            await end

    end = loop.create_future()
    thread = Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert is_ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(end.set_result, None)
        thread.join()
        loop.close()
