"""Carries out what waits for each destination: one transaction at a time, tried again under the same id until it is
taken, with a pause after each failure. Every destination runs by itself; a slow or dead one delays nobody else.

How many requests are under way at once is bounded, apart for those that answer and those that lately did not.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import orjson
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore

from synapse_like.federation.client import path_of
from synapse_like.federation.errors import BackingOff, RemoteError, ServerDenied
from synapse_like.federation.outbound.backoffs import Backoffs
from synapse_like.federation.outbound.queue import Queue, Transaction
from synapse_like.federation.outbound.sql import stored_edus as sql
from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

AT_ONCE: Final = 200
RETRIES_AT_ONCE: Final = 30
STORED_AT_ONCE: Final = 50
MAX_REFUSALS: Final = 4
_OUTAGE_PAUSE_S: Final = 2.0
_DENIED: Final = (401, 403, 404)


class Sending(Protocol):
    """The part of the federation client that sends transactions."""

    async def put(self, destination: str, path: str, body: bytes, *, timeout_s: float) -> Any:
        """Send a signed PUT; what the server answers. Raises MatrixError."""
        ...


class Delivery:
    """Runs queues. `fill` is asked to put something into a queue that lags, before each of its transactions."""

    def __init__(
        self,
        client: Sending,
        backoffs: Backoffs,
        database: Database,
        clock: Clock,
        server_name: str,
        timeout_ms: int,
        id_prefix: str,
    ) -> None:
        self.fill: Callable[[Queue], Awaitable[None]] = _nothing
        self.succeeded_ms: dict[str, int] = {}
        """When servers last took something, until that is stored."""
        self.sent = 0
        self._client = client
        self._backoffs = backoffs
        self._database = database
        self._clock = clock
        self._server_name = server_name
        self._timeout_s = timeout_ms / 1000
        self._slots = DeferredSemaphore(AT_ONCE)
        self._retry_slots = DeferredSemaphore(RETRIES_AT_ONCE)
        self._running: dict[Queue, Deferred[None]] = {}
        self._id_prefix = id_prefix
        self._last_id = 0

    def kick(self, queue: Queue) -> None:
        """Something was put into a queue: send it, as soon as that may be."""
        if queue.is_running or queue.is_closed:
            return
        queue.is_running = True
        running = Deferred.fromCoroutine(self._run(queue))
        self._running[queue] = running
        _ = running.addErrback(_log, queue.destination).addBoth(lambda _: self._ended(queue, running))

    def kick_at(self, queue: Queue, at_ms: int) -> None:
        """Send what is in the queue at that time, if nothing makes it go before."""
        if queue.timer is not None:
            queue.timer.cancel()

        def due() -> None:
            queue.timer = None
            self.kick(queue)

        queue.timer = self._clock.call_later((at_ms - self._clock.now_ms()) / 1000, due)

    async def stop(self, queues: list[Queue]) -> None:
        """Send nothing more from these; what is under way is broken off."""
        for queue in queues:
            queue.is_closed = True
            if queue.timer is not None:
                queue.timer.cancel()
                queue.timer = None
        for queue in queues:
            running = self._running.get(queue)
            if running is not None:
                running.cancel()

    def _ended(self, queue: Queue, running: "Deferred[None]") -> None:
        queue.is_running = False
        if self._running.get(queue) is running:
            del self._running[queue]

    async def _run(self, queue: Queue) -> None:
        while not queue.is_closed:
            now_ms = self._clock.now_ms()
            at_ms = max(self._backoffs.tries_at_ms(queue.destination), queue.refused_until_ms)
            if at_ms > now_ms:
                if not queue.is_idle:
                    self.kick_at(queue, at_ms)
                return
            try:
                transaction = queue.flying or await self._next(queue)
            except OUTAGES as error:
                logger.error("what waits for %s could not be read: %s", queue.destination, error)
                self.kick_at(queue, now_ms + int(_OUTAGE_PAUSE_S * 1000))
                return
            if transaction is None:
                if queue.news and queue.due_ms is not None:
                    self.kick_at(queue, queue.due_ms)
                return
            await self._send(queue, transaction)

    async def _next(self, queue: Queue) -> Transaction | None:
        """The next transaction; None if nothing is to be sent now."""
        if queue.lag is not None and not queue.is_attached and not queue.pdus and not queue.news:
            await self.fill(queue)
        stored: list[tuple[int, str, dict[str, Any]]] = []
        if queue.has_stored:
            name, queue.has_stored = queue.destination, False
            try:
                rows = await self._database.read(lambda txn: sql.first(txn, name, STORED_AT_ONCE))
            except BaseException:
                queue.has_stored = True
                raise
            queue.has_stored = queue.has_stored or len(rows) == STORED_AT_ONCE
            stored = [(number, edu_type, orjson.loads(text)) for number, edu_type, text in rows]
        is_waiting = queue.due_ms is not None and queue.due_ms > self._clock.now_ms()
        if is_waiting and not queue.pdus and not stored:
            return None
        return queue.next_transaction(self._new_id(), stored)

    async def _send(self, queue: Queue, transaction: Transaction) -> None:
        """One try."""
        destination = queue.destination
        slots = self._retry_slots if self._backoffs.of(destination) or queue.refused_until_ms else self._slots
        await slots.acquire()
        try:
            body = transaction.body(self._server_name, self._clock.now_ms())
            path = path_of("/_matrix/federation/v1/send", transaction.id)
            reply = await self._client.put(destination, path, body, timeout_s=self._timeout_s)
        except MatrixError as error:
            self._failed(queue, transaction, error)
            return
        finally:
            slots.release()
        _log_refused(destination, reply)
        queue.refused_until_ms = 0
        await self._taken(queue, transaction)

    async def _taken(self, queue: Queue, transaction: Transaction) -> None:
        """The destination has the transaction; forget it. What is stored is forgotten before the next one goes out."""
        self.sent += 1
        self.succeeded_ms[queue.destination] = self._clock.now_ms()
        name, ids = queue.destination, transaction.stored
        while ids:
            try:
                await self._database.write(lambda txn: sql.remove(txn, name, ids))
                break
            except OUTAGES as error:
                logger.error("could not forget what %s has taken: %s", name, error)
                await self._clock.sleep(_OUTAGE_PAUSE_S)
        if queue.flying is transaction:
            queue.flying = None

    def _failed(self, queue: Queue, transaction: Transaction, error: MatrixError) -> None:
        """Try again later. A transaction that the other server cannot bear, others being no problem, is dropped."""
        if isinstance(error, BackingOff):
            return
        if isinstance(error, ServerDenied):
            queue.flying = None
            return
        if not isinstance(error, RemoteError) or error.is_trouble:
            self._backoffs.failed(queue.destination, error)
            return
        transaction.refusals += 1
        logger.warning("%s refuses a transaction: %s", queue.destination, error)
        if transaction.refusals >= MAX_REFUSALS and error.remote_status not in _DENIED:
            lost = ", ".join(pdu.event_id for pdu in transaction.pdus)
            logger.error("a transaction for %s is given up; events: %s", queue.destination, lost or "none")
            Deferred.fromCoroutine(self._taken(queue, transaction)).addErrback(_log, queue.destination)
            return
        pause_ms = self._backoffs.pause_ms(transaction.refusals)
        queue.refused_until_ms = self._clock.now_ms() + pause_ms

    def _new_id(self) -> str:
        """Never used before, not even by a process that was killed: the prefix is random."""
        self._last_id += 1
        return f"{self._id_prefix}{self._last_id}"


async def _nothing(queue: Queue) -> None:
    """Nothing to catch up with."""


def _log(failure: Any, destination: str) -> None:
    if not failure.check(CancelledError):
        logger.error("sending to %s broke off: %s", destination, failure.getTraceback())


def _log_refused(destination: str, reply: Any) -> None:
    """Note which events the other server did not want; that is no reason to send them again."""
    results = reply.get("pdus") if isinstance(reply, dict) else None
    for event_id, result in results.items() if isinstance(results, dict) else ():
        if isinstance(result, dict) and result.get("error"):
            logger.info("%s does not take %s: %.200s", destination, str(event_id)[:255], result["error"])
