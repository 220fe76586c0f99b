"""TCP proxies on loopback, one for each server, that drop, delay, swallow, reset and cut on demand."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LOOPBACK = "127.0.0.1"
CHUNK = 65_536


class Manner(StrEnum):
    PASS = "pass"
    REFUSE = "refuse"
    """Connections are closed at once."""
    SWALLOW = "swallow"
    """Half-open: connections stay, bytes are accepted, no reply arrives."""
    DEAF = "deaf"
    """Cut in one direction: the server's bytes arrive, the client's do not."""


class Loop:
    """An event loop in a thread of its own, for all proxies."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run the coroutine in the loop and wait for its result."""
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return done.result(timeout=20)

    def close(self) -> None:
        """Stop the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass(eq=False)
class _Pair:
    """A client's connection and the one to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_silent: bool = False
    """The host behind it has vanished: bytes are accepted, no reply arrives, and the end of the
    connection is not signalled."""

    def reset(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(eq=False)
class Proxy:
    """One proxy. `manner`, `delay` (seconds a chunk) and `cut_after` may be changed at any time.

    `cut_after` is a text: when a client sends it, the server still receives it, and the reply is cut off.
    """

    loop: Loop
    target_port: int
    manner: Manner = Manner.PASS
    delay: float = 0.0
    cut_after: bytes = b""
    cuts: int = 0
    held: int = 0
    """How many chunks were swallowed or delayed."""
    refused: int = 0
    port: int = 0
    _pairs: set[_Pair] = field(default_factory=set)
    _server: Any = None

    def start(self) -> "Proxy":
        """Listen on a free port."""
        self._server = self.loop.run(asyncio.start_server(self._serve, LOOPBACK, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.loop.run(self._close())

    def reset_all(self) -> int:
        """Reset every connection. Return how many there were."""
        return int(self.loop.run(self._reset_all()))

    def silence(self) -> int:
        """Silence every existing connection for ever, also after `heal`; new ones work. Return how many there were."""
        return int(self.loop.run(self._silence()))

    def heal(self) -> None:
        """Forward everything again. Reset connections whose bytes were swallowed, since these are lost."""
        was, self.manner, self.delay, self.cut_after = self.manner, Manner.PASS, 0.0, b""
        if was in (Manner.SWALLOW, Manner.DEAF):
            self.reset_all()

    async def _close(self) -> None:
        self._server.close()
        for pair in list(self._pairs):
            pair.reset()

    async def _reset_all(self) -> int:
        pairs = [pair for pair in self._pairs if not pair.is_silent]
        for pair in pairs:
            pair.reset()
        return len(pairs)

    async def _silence(self) -> int:
        for pair in self._pairs:
            pair.is_silent = True
        return len(self._pairs)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.manner is Manner.REFUSE:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            behind_reader, behind_writer = await asyncio.open_connection(LOOPBACK, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, behind_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._up(reader, pair), self._down(behind_reader, pair))
        finally:
            pair.reset()
            self._pairs.discard(pair)

    async def _up(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._wait()
                if pair.is_silent or self.manner in (Manner.SWALLOW, Manner.DEAF):
                    self.held += 1
                    continue
                if self.cut_after and self.cut_after in chunk:
                    pair.client.transport.abort()  # first, so that no reply can get through
                    self.cuts += 1
                pair.server.write(chunk)
                await pair.server.drain()
        await asyncio.sleep(0.05 if self.cut_after else 0)  # the last bytes must still reach the server
        pair.reset()

    async def _down(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._wait()
                if pair.is_silent or self.manner is Manner.SWALLOW:
                    self.held += 1
                    continue
                pair.client.write(chunk)
                await pair.client.drain()
        if not pair.is_silent:  # the end of a silent connection is not passed on
            pair.reset()

    async def _wait(self) -> None:
        if self.delay:
            self.held += 1
            await asyncio.sleep(self.delay)
