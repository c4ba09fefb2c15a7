"""The server of one listener: its connections, their deadlines, and an orderly end."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.threads import deferToThreadPool

from synapse_like.toolkit.http.connection import Connection
from synapse_like.toolkit.http.site import Site

SWEEPS_PER_DEADLINE: Final = 4


class Server(ServerFactory):
    """Makes connections, and watches them with one timer for all."""

    noisy = False

    def __init__(self, site: Site, reactor: Any) -> None:
        """Take what answers, and a Twisted reactor."""
        self._site = site
        self._reactor = reactor
        self._connections: set[Connection] = set()
        self._sweep: Any = None
        self._is_stopping = False
        self._emptied: Deferred[None] | None = None
        limits = site.limits
        shortest = min(
            limits.header_seconds, limits.body_idle_seconds, limits.keep_alive_seconds, limits.linger_seconds
        )
        self._sweep_seconds = min(1.0, shortest / SWEEPS_PER_DEADLINE)

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:  # noqa: N802
        """Return the protocol for a new connection, or None if there are enough."""
        if self._is_stopping or len(self._connections) >= self._site.limits.connections:
            return None
        connection = Connection(self._site, self, self._forget)
        self._connections.add(connection)
        if self._sweep is None:
            self._sweep = self._reactor.callLater(self._sweep_seconds, self._expire)
        return connection

    async def stop(self, grace_seconds: float) -> None:
        """Finish the requests at work and close every connection; abort what is left when the grace has passed."""
        self._is_stopping = True
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            self._emptied = Deferred()
            abort = self._reactor.callLater(grace_seconds, self._abort)
            await self._emptied
            if abort.active():
                abort.cancel()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def seconds(self) -> float:
        """Return the reactor's time."""
        return float(self._reactor.seconds())

    def run_in_thread(self, call: Callable[[bytes], bytes], argument: bytes) -> Awaitable[bytes]:
        """Return what the call returns, made in a thread of the reactor's pool."""
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, argument)

    def _expire(self) -> None:
        now = self.seconds()
        for connection in [connection for connection in self._connections if connection.deadline <= now]:
            connection.expire()
        self._sweep = self._reactor.callLater(self._sweep_seconds, self._expire) if self._connections else None

    def _abort(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections and self._emptied is not None:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)
