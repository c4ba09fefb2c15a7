"""Requests to other servers: signed, to where the server's name leads, bounded in size and time.

Here lives what all requests have in common. What is asked for, and what the answers mean, is known by the callers;
which servers to leave alone for a while, by `Destinations`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from synapse_like.federation.errors import BackingOff, BadReply, RemoteError, ReplyTooLarge
from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.ports import Destinations, NoBackOff
from synapse_like.federation.transport import ServerRequest, Transport
from synapse_like.federation.xmatrix import XMatrix, signed_request
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import ConnectionFailed, ConnectionTimeout
from synapse_like.rooms.creation import Identity
from synapse_like.toolkit.http.outgoing.bodies import Collected, Streamed

TIMEOUT_S: Final = 30.0
IDLE_S: Final = 60.0
LIMIT_BYTES: Final = 1024 * 1024
STREAM_LIMIT_BYTES: Final = 1024 * 1024 * 1024

Body = Mapping[str, Any] | bytes
"""A JSON object, or its canonical JSON if that is at hand."""

QueryFields = Mapping[str, str | Sequence[str]]
"""Fields of a query; a sequence repeats the field."""


def path_of(prefix: str, *segments: str) -> str:
    """A path: the prefix as it is, then each segment with everything in it encoded."""
    return "/".join((prefix.rstrip("/"), *(quote(segment, safe="") for segment in segments)))


class FederationClient:
    """Talks with other servers.

    `path` is an encoded path such as `path_of("/_matrix/federation/v1/make_join", room_id, user_id)`. Times are in
    seconds for the whole request, limits in bytes of the answer's body. Every method raises:

    * `ServerDenied`       we do not talk with that server
    * `BackingOff`         it failed a moment ago (`Destinations`); not with `is_forced`
    * `Unresolvable`, `ConnectionFailed`, `ConnectionTimeout`   it was not reached, or not in time
    * `RemoteError`        it answered with an error: status and Matrix code are in it
    * `BadReply`           its answer is no JSON object, or too large
    """

    def __init__(self, identity: Identity, policy: ServerPolicy, transport: Transport) -> None:
        self._identity = identity
        self._policy = policy
        self._transport = transport
        self.destinations: Destinations = NoBackOff()
        """Asked before each request, told after it; whoever remembers destinations puts itself here."""

    async def get(
        self,
        destination: str,
        path: str,
        query: QueryFields | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = LIMIT_BYTES,
        is_forced: bool = False,
    ) -> Any:
        """Return the JSON object that the server answers to a GET."""
        return await self._json("GET", destination, _target(path, query), None, timeout_s, limit_bytes, is_forced)

    async def put(
        self,
        destination: str,
        path: str,
        body: Body,
        query: QueryFields | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = LIMIT_BYTES,
        is_forced: bool = False,
    ) -> Any:
        """Return what the server answers to a PUT. It may be sent twice over a connection that breaks."""
        return await self._json("PUT", destination, _target(path, query), body, timeout_s, limit_bytes, is_forced)

    async def post(
        self,
        destination: str,
        path: str,
        body: Body,
        query: QueryFields | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = LIMIT_BYTES,
        is_forced: bool = False,
    ) -> Any:
        """Return what the server answers to a POST."""
        return await self._json("POST", destination, _target(path, query), body, timeout_s, limit_bytes, is_forced)

    async def stream(
        self,
        destination: str,
        path: str,
        write: Callable[[bytes], object],
        body: Body | None = None,
        query: QueryFields | None = None,
        *,
        timeout_s: float = 600.0,
        idle_s: float = IDLE_S,
        limit_bytes: int = STREAM_LIMIT_BYTES,
    ) -> None:
        """Hand the body of a good answer (200) to `write`, piece by piece as it comes; return when it has ended.

        With a body the request is a PUT, without one a GET. No piece may be longer than `idle_s` in coming.
        What `write` raises ends the request and is raised here.
        """
        sink = Streamed(write, limit_bytes)
        request = self._signed("GET" if body is None else "PUT", destination, _target(path, query), body)
        async with self._accounted(destination, is_forced=False):
            await self._transport.send(request, sink, timeout_s, idle_s)
            if sink.status != 200:
                raise RemoteError(destination, sink.status, _error_in(sink.refusal.body))

    async def _json(
        self,
        method: str,
        destination: str,
        target: str,
        body: Body | None,
        timeout_s: float,
        limit_bytes: int,
        is_forced: bool,
    ) -> Any:
        sink = Collected(limit_bytes)
        request = self._signed(method, destination, target, body)
        async with self._accounted(destination, is_forced=is_forced):
            await self._transport.send(request, sink, timeout_s)
            if sink.status != 200:
                raise RemoteError(destination, sink.status, _error_in(sink.body))
            return _decoded(destination, sink.body)

    def _signed(self, method: str, destination: str, target: str, body: Body | None) -> ServerRequest:
        self._policy.check(destination)
        encoded = body if body is None or isinstance(body, bytes) else canonical_json(body)
        origin, key = self._identity.server_name, self._identity.signing_key
        signature = key.signature(signed_request(method, target, origin, destination, encoded))
        authorization = XMatrix(origin, key.key_id, signature, destination).to_header()
        return ServerRequest(method, destination, target, encoded, authorization)

    @asynccontextmanager
    async def _accounted(self, destination: str, *, is_forced: bool) -> AsyncIterator[None]:
        """Ask whether the destination may be tried, and tell how it went."""
        if not is_forced and not await self.destinations.may_try(destination):
            raise BackingOff(f"{destination} does not answer at the moment")
        try:
            yield
        except ReplyTooLarge:
            self.destinations.succeeded(destination)
            raise
        except (ConnectionFailed, ConnectionTimeout, BadReply) as error:
            self.destinations.failed(destination, error)
            raise
        except RemoteError as error:
            if error.is_trouble:
                self.destinations.failed(destination, error)
            else:
                self.destinations.succeeded(destination)
            raise
        self.destinations.succeeded(destination)


def _target(path: str, query: QueryFields | None) -> str:
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def _decoded(destination: str, body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadReply(f"{destination} answered with something that is not JSON") from None


def _error_in(body: bytes) -> Any:
    """What an error's body says; nothing if it is no JSON, as those of proxies are not."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
