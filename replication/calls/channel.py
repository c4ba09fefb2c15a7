"""One connection between two processes: who is there, calls in both directions, notes.

Both sides prove that they know the shared secret before anything else is listened to. A call has a deadline on both
sides. While the other side does not read, messages wait up to a bound; then calls are refused and notes are lost. Both
sides give signs of life: a network that loses everything says nothing of it, and calls would wait for their deadlines.
"""

import hmac
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure as TwistedFailure

from replication.calls import wire
from replication.calls.errors import CallFailed, CallTimedOut, Overloaded, Unreachable
from replication.ports import Clock

logger = logging.getLogger(__name__)

GREETING_SECONDS: Final = 5.0
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
MAX_AT_WORK: Final = 2_000
"""Calls of one connection that may be at work here at once."""
BEATS_OF_SILENCE: Final = 4
"""A connection on which nothing came for so many beats is broken."""
_BEATS_SINCE: Final = 2


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call of another process."""

    method: str
    body: bytes
    request_id: str
    caller: str


Answer = Callable[[Incoming], Awaitable[bytes]]
"""Carries a call out. What it raises is turned into a failure by `Station.failure_of`."""


class Nonces(Protocol):
    """Where unguessable bytes come from."""

    def random_bytes(self, length: int) -> bytes:
        """So many bytes."""
        ...


@dataclass(slots=True)
class Station:
    """What all connections of this process share."""

    name: str
    secret: bytes
    clock: Clock
    nonces: Nonces
    answer: Answer
    on_note: "Callable[[Channel, str, bytes], None]" = lambda channel, topic, body: None
    failure_of: Callable[[BaseException], tuple[str, bytes] | None] = lambda error: None
    """(kind, body) of an error that callers are to be told of; None for a fault, which is logged here."""
    on_opened: "Callable[[Channel], None]" = lambda channel: None
    on_closed: "Callable[[Channel], None]" = lambda channel: None
    beat_s: float = 2.0
    """How often signs of life are given."""
    minor: int = wire.MINOR


class Channel(Int32StringReceiver):
    """A connection. `opened` fires when the other side is known; then `peer` is its name."""

    transport: Any
    MAX_LENGTH = wire.MAX_MESSAGE_BYTES
    noisy = False

    def __init__(self, station: Station, *, is_caller: bool) -> None:
        self.peer = ""
        self.peer_minor = 0
        self.is_open = False
        self.is_silent = False
        """The connection was given up because nothing came."""
        self.is_caller = is_caller
        self.opened: Deferred[Channel] = Deferred()
        self.on_lost: Callable[[Channel], object] = lambda channel: None
        self._station = station
        self._nonce = station.nonces.random_bytes(wire.NONCE_BYTES)
        self._their_nonce = b""
        self._calls: dict[int, Deferred[bytes]] = {}
        self._last_id = 0
        self._at_work: dict[int, Deferred[bytes]] = {}
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._is_paused = False
        self._timer: Any = None
        self._silent_beats = 0

    # -- what this process asks ----------------------------------------------------------------------------------------

    def call(self, method: str, body: bytes, timeout_s: float, request_id: str = "-") -> "Deferred[bytes]":
        """Ask the other side; the Deferred fires with its answer.

        It fails with Unreachable, CallTimedOut, CallFailed or Overloaded. Cancelling it tells the other side.
        """
        if not self.is_open:
            raise Unreachable(self.peer, "the connection is closed")
        if self._outbox_bytes > MAX_WAITING_BYTES:
            raise Overloaded(f"{self.peer} does not keep up")
        self._last_id += 1
        call_id = self._last_id
        result: Deferred[bytes] = Deferred(lambda _: self._give_up(call_id))
        self._calls[call_id] = result
        timer = self._station.clock.call_later(timeout_s, lambda: self._time_out(call_id))
        _ = result.addBoth(_stopping(timer))
        self._send(wire.Call(call_id, method, int(timeout_s * 1000), request_id, body))
        return result

    def note(self, topic: str, body: bytes) -> bool:
        """Tell the other side something; False if it does not keep up, or is gone."""
        if not self.is_open or self._outbox_bytes > MAX_WAITING_BYTES:
            return False
        self._send(wire.Note(topic, body))
        return True

    def close(self) -> None:
        """Hang up."""
        self.transport.loseConnection()

    def abort(self) -> None:
        """Hang up without waiting for what is still to be sent."""
        self.transport.abortConnection()

    def _time_out(self, call_id: int) -> None:
        result = self._calls.pop(call_id, None)
        if result is not None:
            self._send(wire.Cancel(call_id))
            result.errback(CallTimedOut(f"{self.peer} did not answer in time"))

    def _give_up(self, call_id: int) -> None:
        if self._calls.pop(call_id, None) is not None and self.is_open:
            self._send(wire.Cancel(call_id))

    # -- the connection ------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:  # noqa: N802
        """Greet."""
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self.transport.registerProducer(self, True)
        self._timer = self._station.clock.call_later(GREETING_SECONDS, self._give_up_waiting)
        self._send(wire.Hello(wire.MAJOR, self._station.minor, self._station.name, self._nonce))

    def connectionLost(self, reason: TwistedFailure = connectionDone) -> None:  # noqa: N802
        """Fail what waits, stop what is at work for the other side."""
        was_open, self.is_open = self.is_open, False
        self._timer.cancel()
        calls, self._calls = self._calls, {}
        for result in calls.values():
            result.errback(Unreachable(self.peer, "the connection broke", was_sent=True))
        for work in list(self._at_work.values()):
            work.cancel()
        if not self.opened.called:
            self.opened.errback(Unreachable(self.peer or "the other side", reason.getErrorMessage()))
        self.on_lost(self)
        if was_open:
            self._station.on_closed(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take what comes, be it a part of a message."""
        self._silent_beats = 0
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:  # noqa: N802
        """Take one message."""
        try:
            message = wire.decode(string)
        except ValueError:
            logger.warning("garbage on the connection with %s", self.peer or "a stranger")
            self.transport.abortConnection()
            return
        if self.is_open:
            self._take(message)
        else:
            self._greet(message)

    def lengthLimitExceeded(self, length: int) -> None:  # noqa: N802
        """Too long a message: hang up."""
        logger.warning("a message of %d bytes from %s", length, self.peer or "a stranger")
        self.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802
        """The other side does not read."""
        self._is_paused = True

    def resumeProducing(self) -> None:  # noqa: N802
        """The other side reads again."""
        self._is_paused = False
        while self._outbox and not self._is_paused:
            data = self._outbox.popleft()
            self._outbox_bytes -= len(data)
            self._write(data)

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone."""
        self._outbox.clear()
        self._outbox_bytes = 0

    def _send(self, message: wire.Message) -> None:
        data = wire.encode(message)
        if self._is_paused:
            self._outbox.append(data)
            self._outbox_bytes += len(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        self.transport.writeSequence((len(data).to_bytes(4, "big"), data))

    def _greet(self, message: wire.Message | None) -> None:
        if isinstance(message, wire.Hello) and not self._their_nonce:
            if message.major != wire.MAJOR:
                logger.error("%s speaks version %d of calls, not %d", message.name, message.major, wire.MAJOR)
                self.transport.abortConnection()
                return
            self.peer, self.peer_minor, self._their_nonce = message.name, message.minor, message.nonce
            self._send(wire.Proof(self._proof(is_mine=True)))
        elif isinstance(message, wire.Proof) and self._their_nonce:
            if not hmac.compare_digest(message.mac, self._proof(is_mine=False)):
                logger.error("%s does not know the secret of this server's processes", self.peer)
                self.transport.abortConnection()
                return
            self._timer.cancel()
            self.is_open = True
            if min(self.peer_minor, self._station.minor) >= _BEATS_SINCE:
                self._beat()
            self._station.on_opened(self)
            self.opened.callback(self)
        else:
            self.transport.abortConnection()

    def _beat(self) -> None:
        """Give a sign of life, unless the other side gives none."""
        if self._silent_beats >= BEATS_OF_SILENCE:
            self._give_up_waiting()
            return
        self._silent_beats += 1
        self._send(wire.Here())
        self._timer = self._station.clock.call_later(self._station.beat_s, self._beat)

    def _give_up_waiting(self) -> None:
        logger.warning("nothing comes any more from %s", self.peer or "the other side of a new connection")
        self.is_silent = True
        self.transport.abortConnection()

    def _proof(self, *, is_mine: bool) -> bytes:
        side = b"caller" if self.is_caller is is_mine else b"door"
        caller, door = (self._nonce, self._their_nonce) if self.is_caller else (self._their_nonce, self._nonce)
        return wire.proof(self._station.secret, side, caller + door)

    # -- what the other side asks --------------------------------------------------------------------------------------

    def _take(self, message: wire.Message | None) -> None:
        if isinstance(message, wire.Call):
            self._work(message)
        elif isinstance(message, wire.Result):
            if (result := self._calls.pop(message.id, None)) is not None:
                result.callback(message.body)
        elif isinstance(message, wire.Failure):
            if (result := self._calls.pop(message.id, None)) is not None:
                result.errback(_failure(message))
        elif isinstance(message, wire.Note):
            self._station.on_note(self, message.topic, message.body)
        elif isinstance(message, wire.Cancel) and (work := self._at_work.get(message.id)) is not None:
            work.cancel()

    def _work(self, call: wire.Call) -> None:
        if len(self._at_work) >= MAX_AT_WORK:
            self._send(wire.Failure(call.id, "overloaded", b""))
            return
        incoming = Incoming(call.method, call.body, call.request_id, self.peer)
        work: Deferred[bytes] = Deferred.fromCoroutine(_awaited(self._station.answer(incoming)))
        self._at_work[call.id] = work
        timer = self._station.clock.call_later(call.timeout_ms / 1000, work.cancel)
        _ = work.addBoth(_stopping(timer))
        _ = work.addCallbacks(
            lambda body: self._finish(wire.Result(call.id, body)),
            lambda failure: self._finish(self._told(call, failure)),
        )

    def _finish(self, message: wire.Result | wire.Failure) -> None:
        self._at_work.pop(message.id, None)
        if self.is_open:
            self._send(message)

    def _told(self, call: wire.Call, failure: TwistedFailure) -> wire.Failure:
        error = failure.value
        if isinstance(error, CancelledError):
            return wire.Failure(call.id, "cancelled", b"")
        known = None if error is None else self._station.failure_of(error)
        if known is None:
            logger.error("the call %s of %s failed:\n%s", call.method, self.peer, failure.getTraceback())
            known = ("fault", b"")
        return wire.Failure(call.id, *known)


async def _awaited(answer: Awaitable[bytes]) -> bytes:
    return await answer


def _failure(message: wire.Failure) -> Exception:
    if message.kind == "overloaded":
        return Overloaded("the other process has too much to do")
    return CallFailed(message.kind, message.body)


def _stopping(timer: Any) -> Callable[[Any], Any]:
    def stop(result: Any) -> Any:
        timer.cancel()
        return result

    return stop
