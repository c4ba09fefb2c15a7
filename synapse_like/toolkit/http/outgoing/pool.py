"""Connections that are kept for the next request to the same place."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError

from synapse_like.matrix.errors import ConnectionFailed, ConnectionTimeout
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.connection import HttpConnection, Sink
from synapse_like.toolkit.http.outgoing.errors import AddressDenied, ConnectionBroken

IDLE_S: Final = 90.0
MOST_IDLE_PER_PLACE: Final = 4
MOST_IDLE: Final = 1000

Connect = Callable[[], Awaitable[HttpConnection]]


OUTCOMES: Final = ("2xx", "3xx", "4xx", "5xx", "unreachable", "denied", "broken", "unusable", "given up")
"""What can become of a request: an answer, or why there is none that can be used."""


class Meters(Protocol):
    """Counts requests."""

    def begin(self) -> Callable[[str], None]:
        """A request begins; the answer is called at its end with the outcome."""
        ...


class _Watched:
    """Another sink, whose status is remembered."""

    def __init__(self, sink: Sink) -> None:
        self.status = 500
        self._sink = sink

    def begin(self, status: int, headers: Headers) -> None:
        self.status = status
        self._sink.begin(status, headers)

    def write(self, part: bytes) -> None:
        self._sink.write(part)


def _outcome_of(error: BaseException) -> str:
    if isinstance(error, AddressDenied):
        return "denied"
    if isinstance(error, ConnectionBroken):
        return "broken"
    if isinstance(error, ConnectionFailed | ConnectionTimeout):
        return "unreachable"
    return "given up" if isinstance(error, CancelledError) else "unusable"


class Pool:
    """Idle connections by place. A place is whatever makes two connections the same: address, name to prove, ..."""

    def __init__(self, clock: Clock, meters: Meters | None = None) -> None:
        self._clock = clock
        self._meters = meters
        self._idle: OrderedDict[HttpConnection, tuple[Hashable, Any]] = OrderedDict()
        self._by_place: dict[Hashable, list[HttpConnection]] = {}

    async def exchange(self, place: Hashable, connect: Connect, request: bytes, sink: Sink) -> None:
        """Send a request over a kept connection or a new one; the answer goes to the sink.

        A kept connection that turns out to be closed is replaced and the request sent again, as long as nothing of an
        answer has come. Raises what connecting and the exchange raise.
        """
        if self._meters is None:
            await self._exchange(place, connect, request, sink)
            return
        end, watched = self._meters.begin(), _Watched(sink)
        try:
            await self._exchange(place, connect, request, watched)
        except BaseException as error:
            end(_outcome_of(error))
            raise
        end(f"{watched.status // 100}xx")

    async def _exchange(self, place: Hashable, connect: Connect, request: bytes, sink: Sink) -> None:
        while (connection := self._take(place)) is not None:
            try:
                await connection.send(request, sink)
            except ConnectionBroken as error:
                if error.has_begun:
                    raise
            else:
                self._keep(place, connection)
                return
        connection = await connect()
        await connection.send(request, sink)
        self._keep(place, connection)

    def close(self) -> None:
        """Close every idle connection."""
        for connection in list(self._idle):
            self._drop(connection)
            connection.abort()

    def __len__(self) -> int:
        return len(self._idle)

    def _take(self, place: Hashable) -> HttpConnection | None:
        """The youngest idle connection: the least likely to have been closed by the other side."""
        while connections := self._by_place.get(place):
            connection = connections[-1]
            self._drop(connection)
            if connection.is_usable:
                return connection
        return None

    def _keep(self, place: Hashable, connection: HttpConnection) -> None:
        if not connection.is_usable:
            return
        connections = self._by_place.setdefault(place, [])
        connections.append(connection)
        connection.on_lost = lambda: self._drop(connection)
        self._idle[connection] = place, self._clock.call_later(IDLE_S, lambda: self._expire(connection))
        if len(connections) > MOST_IDLE_PER_PLACE:
            self._expire(connections[0])
        if len(self._idle) > MOST_IDLE:
            self._expire(next(iter(self._idle)))

    def _expire(self, connection: HttpConnection) -> None:
        self._drop(connection)
        connection.abort()

    def _drop(self, connection: HttpConnection) -> None:
        kept = self._idle.pop(connection, None)
        if kept is None:
            return
        place, timer = kept
        timer.cancel()
        connections = self._by_place[place]
        connections.remove(connection)
        if not connections:
            del self._by_place[place]
