"""A TCP proxy whose line can be cut, and mended: between a process and Redis, PostgreSQL or its callers."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final

from tests.kit import ports

LOOPBACK: Final = "127.0.0.1"
_CHUNK: Final = 65_536


class Line:
    """Passes bytes on from `port` to a target on loopback, both ways, while nobody has cut it."""

    def __init__(self, target_port: int) -> None:
        self.port = ports.claim()
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._is_silent = False
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._listen())

    def cut(self) -> None:
        """Break what is connected, and refuse what comes."""
        self._wait(self._refuse())

    def fall_silent(self) -> None:
        """Let nothing through any more, and say nothing of it, as a network does that loses every packet."""
        self._is_silent = True

    def mend(self) -> None:
        """Let through again. What was connected while the line was silent is broken: bytes of it are lost."""
        if self._is_silent:
            self._wait(self._refuse())
            self._is_silent = False
        if self._server is None:
            self._wait(self._listen())

    def close(self) -> None:
        """End."""
        self._wait(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _wait(self, task: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            back, other = await asyncio.open_connection(LOOPBACK, self._target_port)
            self._open.add(other)
            ways = [asyncio.ensure_future(self._copy(*way)) for way in ((reader, other), (back, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in (writer, other):
                if each is not None:
                    each.transport.abort()
                    self._open.discard(each)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if not self._is_silent:
                writer.write(data)
                await writer.drain()
