"""Ends a request whose answer has begun and then stands still."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from synapse_like.matrix.errors import ConnectionTimeout
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.connection import Sink


class Watched:
    """A sink before another one, that notices when nothing comes any more for so many seconds."""

    def __init__(self, reactor: Any, sink: Sink, idle_s: float) -> None:
        self._reactor = reactor
        self._sink = sink
        self._idle_s = idle_s
        self._timer: Any = None
        self._running: Deferred[None] | None = None
        self._has_stopped = False

    def begin(self, status: int, headers: Headers) -> None:
        """Take the head: from now on it has to go on."""
        self._timer = self._reactor.callLater(self._idle_s, self._stop)
        self._sink.begin(status, headers)

    def write(self, part: bytes) -> None:
        """Take a piece of the body."""
        if self._timer is not None and self._timer.active():
            self._timer.reset(self._idle_s)
        self._sink.write(part)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, which is a request whose answer comes here. Raises ConnectionTimeout if it stands still."""
        self._running = Deferred.fromCoroutine(work)
        try:
            await self._running
        except CancelledError:
            if self._has_stopped:
                raise ConnectionTimeout("The other server's answer does not go on") from None
            raise
        finally:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()

    def _stop(self) -> None:
        self._has_stopped = True
        if self._running is not None:
            self._running.cancel()
