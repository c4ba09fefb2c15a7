"""Connecting: a name's addresses, those that are allowed, and a race between them (RFC 8305, in short)."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.toolkit.http.outgoing.addresses import AddressRules
from synapse_like.toolkit.http.outgoing.dns import Dns
from synapse_like.toolkit.http.outgoing.errors import AddressDenied

P = TypeVar("P", bound=Protocol)

MOST_ADDRESSES: Final = 8
HEAD_START_S: Final = 0.3
CONNECT_TIMEOUT_S: Final = 10.0


class Connector:
    """Opens connections to hosts, never to a denied address."""

    def __init__(self, reactor: Any, dns: Dns, rules: AddressRules) -> None:
        self.dns = dns
        self._reactor = reactor
        self._rules = rules

    async def connect(
        self, host: str, port: int, make: Callable[[], P], tls: Any = None, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> P:
        """Connect to a host (a name, or an address without brackets) and return the protocol that was made for it.

        `tls` is a `ClientTls.peer`; the handshake may still be under way. Raises NameNotFound, NameLookupFailed,
        AddressDenied or ConnectionFailed.
        """
        addresses = await self.dns.addresses(host)
        allowed = [address for address in addresses if self._rules.allows(address)][:MOST_ADDRESSES]
        if not allowed:
            raise AddressDenied()
        factory = Factory.forProtocol(make)
        factory.noisy = False

        def attempt(address: str) -> "Deferred[P]":
            kind: Any = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint: Any = kind(self._reactor, address, port, timeout=timeout_s)
            if tls is not None:
                endpoint = wrapClientTLS(tls, endpoint)
            connecting: Deferred[P] = endpoint.connect(factory)
            return connecting

        try:
            return await _Race(self._reactor, [lambda a=address: attempt(a) for address in allowed]).run()  # type: ignore[misc]
        except CancelledError:
            raise
        except Exception as error:
            raise ConnectionFailed(f"{host} port {port} cannot be reached: {error}") from error


class _Race(Generic[P]):
    """Attempts that start one after the other, with a head start, or at once when the one before has failed."""

    def __init__(self, reactor: Any, attempts: Sequence[Callable[[], "Deferred[P]"]]) -> None:
        self._reactor = reactor
        self._waiting = list(reversed(attempts))
        self._running: set[Deferred[P]] = set()
        self._winner: Deferred[P] = Deferred(lambda _: self._stop())
        self._next: Any = None
        self._is_over = False

    def run(self) -> "Deferred[P]":
        """Begin. The answer is the first to arrive, or the last failure; cancelling it ends every attempt."""
        self._start_one()
        return self._winner

    def _start_one(self) -> None:
        self._forget_timer()
        if not self._waiting:
            return
        attempt = self._waiting.pop()()
        self._running.add(attempt)
        if self._waiting:
            self._next = self._reactor.callLater(HEAD_START_S, self._start_one)
        attempt.addCallbacks(self._arrive, self._fail, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def _arrive(self, protocol: P, attempt: "Deferred[P]") -> None:
        self._running.discard(attempt)
        if self._is_over:
            protocol.transport.abortConnection()  # type: ignore[union-attr]
            return
        self._stop()
        self._winner.callback(protocol)

    def _fail(self, failure: Failure, attempt: "Deferred[P]") -> None:
        self._running.discard(attempt)
        if self._is_over:
            return
        if self._waiting:
            self._start_one()
        elif not self._running:
            self._is_over = True
            self._winner.errback(failure)

    def _stop(self) -> None:
        self._is_over = True
        self._forget_timer()
        self._waiting.clear()
        running, self._running = self._running, set()
        for attempt in running:
            attempt.cancel()

    def _forget_timer(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
