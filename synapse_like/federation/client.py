"""Requests to other servers: signed, to where the server's name leads, bounded in size and time.

Here lives what all requests have in common. What is asked for, and what the answers mean, is known by the callers;
which servers to leave alone for a while, by `Destinations`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.ports import Destinations, NoBackOff
from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.rooms.creation import Identity

TIMEOUT_S: Final = 30.0
LIMIT_BYTES: Final = 1024 * 1024
STREAM_LIMIT_BYTES: Final = 1024 * 1024 * 1024

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

    def __init__(self, identity: Identity, policy: ServerPolicy) -> None:
        self._identity = identity
        self._policy = policy
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
        body: Mapping[str, Any],
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
        body: Mapping[str, Any],
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
        body: Mapping[str, Any] | None = None,
        query: QueryFields | None = None,
        *,
        timeout_s: float = 600.0,
        limit_bytes: int = STREAM_LIMIT_BYTES,
    ) -> None:
        """Hand the body of a good answer (200) to `write`, piece by piece as it comes; return when it has ended.

        With a body the request is a PUT, without one a GET.
        What `write` raises ends the request and is raised here.
        """
        raise ConnectionFailed()

    async def _json(
        self, method: str, destination: str, target: str, body: Any, timeout_s: float, limit_bytes: int, is_forced: bool
    ) -> Any:
        raise ConnectionFailed()


def _target(path: str, query: QueryFields | None) -> str:
    return f"{path}?{urlencode(query, doseq=True)}" if query else path
