"""Brings a signed request to a server: finds it, connects with TLS, sends, within a time."""

from dataclasses import dataclass
from typing import Any

from synapse_like.federation.errors import BadReply, ReplyTooLarge
from synapse_like.federation.resolution import Route, ServerResolver
from synapse_like.federation.slots import Slots
from synapse_like.federation.tls import FederationTls
from synapse_like.matrix.errors import BadGateway, ConnectionFailed
from synapse_like.toolkit.http.outgoing.client import Sent, within
from synapse_like.toolkit.http.outgoing.connecting import Connector
from synapse_like.toolkit.http.outgoing.connection import HttpConnection, Sink
from synapse_like.toolkit.http.outgoing.errors import AnswerMalformed, AnswerTooLarge
from synapse_like.toolkit.http.outgoing.idling import Watched
from synapse_like.toolkit.http.outgoing.pool import Pool


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request to a server, signed. `target` is path and query."""

    method: str
    destination: str
    target: str
    body: bytes | None = None
    authorization: str | None = None


class Transport:
    """Sends requests to servers by their names."""

    def __init__(
        self, reactor: Any, resolver: ServerResolver, connector: Connector, tls: FederationTls, pool: Pool
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._connector = connector
        self._tls = tls
        self._pool = pool
        self._slots = Slots()

    async def send(self, request: ServerRequest, sink: Sink, timeout_s: float, idle_s: float | None = None) -> None:
        """Send a request; the answer goes to the sink. With `idle_s` it may not stand still for longer once it began.

        Raises Unresolvable, ConnectionFailed, ConnectionTimeout, BadReply, or what the sink raises.
        """
        try:
            if idle_s is None:
                await within(self._reactor, timeout_s, self._send(request, sink))
            else:
                watched = Watched(self._reactor, sink, idle_s)
                await within(self._reactor, timeout_s, watched.run(self._send(request, watched)))
        except AnswerTooLarge as error:
            raise ReplyTooLarge(f"{request.destination}: {error.message}") from error
        except AnswerMalformed as error:
            raise BadReply(f"{request.destination}: {error.message}") from error

    async def _send(self, request: ServerRequest, sink: Sink) -> None:
        route = await self._resolver.route_to(request.destination)
        headers = {"Accept": "application/json"}
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        data = Sent(request.method, headers, request.body or b"").to_bytes(route.host_header, request.target)
        place = ("federation", request.destination, route.host_header, route.tls_name)
        async with self._slots.take(request.destination):
            await self._pool.exchange(place, lambda: self._connect(route), data, sink)

    async def _connect(self, route: Route) -> HttpConnection:
        """Connect to the first place that answers."""
        last: BadGateway = ConnectionFailed()
        for host, port in route.places:
            try:
                return await self._connector.connect(host, port, HttpConnection, self._tls.peer(route.tls_name))
            except ConnectionFailed as error:
                last = error
        raise last
