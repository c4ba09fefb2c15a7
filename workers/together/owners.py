"""Calls and requests go where a shard is owned, and follow it when it moves.

What an owner refuses as "moved" has not been done, and is asked for again, for as long as a client is patient. A
connection that breaks while something is asked leaves open whether it was done: the client is told to come back, with
the same transaction id, and finds out.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from replication.calls import CallFailed, CallTimedOut, Incoming, Overloaded, Peers, Unreachable
from replication.freshness import Freshness
from replication.ownership import Ownership
from replication.registry import Worker
from replication.shards import NotOwned
from replication.twins import RemoteResult, Twin
from synapse_like.matrix.errors import Unavailable
from synapse_like.rooms.families import ROOM, USER, fresh_shard
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.endpoint import Balance, Endpoint, Timeout
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester
from synapse_like.toolkit.logs import current_request_id
from workers.together.failures import raised_of
from workers.together.shards import Shards

logger = logging.getLogger(__name__)

PATIENCE_MS: Final = 10_000
"""How long the owner of a shard is looked for."""
LOOK_SECONDS: Final = 0.25
REQUEST: Final = "request"

ShardKey = tuple[str, int]


class PassedOn(msgspec.Struct):
    """A request on its way to its owner, and who makes it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    client_ip: str
    received_ms: int
    request_id: str
    requester: Requester | None
    origin: str | None
    family: str
    shard: int


class ReplyFrom(msgspec.Struct):
    """The reply of an owner."""

    status: int
    body: bytes
    content_type: str
    headers: list[tuple[str, str]]


class AnswersPassedOn(Protocol):
    """Answers requests that others have received (`toolkit.http.app.App`)."""

    async def answer_passed_on(self, request: Request[Any]) -> Reply:
        """The reply. Raises NotOwned."""
        ...


class Owners:
    """Finds owners, for methods (`replication.twins.Remote`) and for requests (`toolkit.http.app.Elsewhere`)."""

    def __init__(self, ownership: Ownership, peers: Peers, shards: Shards, freshness: Freshness, clock: Clock) -> None:
        self.twins: dict[str, Twin] = {}
        self.app: AnswersPassedOn | None = None
        self.passed_on = 0
        self._at_work: set[Request[Any]] = set()
        self._ownership = ownership
        self._peers = peers
        self._shards = shards
        self._freshness = freshness
        self._clock = clock

    # -- methods -------------------------------------------------------------------------------------------------------

    def is_here(self, family: str, key: str) -> bool:
        """Whether it is in memory that the shard of `key` is owned here."""
        shard = self._shards.known(family, key)
        return shard is not None and self._owns(family, shard)

    async def at_owner(
        self,
        family: str,
        key: str,
        here: Callable[[], Awaitable[Any]],
        method: str,
        body: Callable[[], bytes],
    ) -> Any:
        """Run `here` if the shard of `key` is owned here, else call its owner."""
        shard = await self._shards.of(family, key)

        async def there(owner: Worker, _family: str, _shard: int) -> RemoteResult:
            return RemoteResult(await self._call(owner, method, body(), PATIENCE_MS / 1000))

        return await self._follow((family, shard), here, there)

    async def answer_call(self, incoming: Incoming) -> bytes:
        """Another process calls a method, or passes a request on."""
        if incoming.method == REQUEST:
            return await self._answer_request(incoming.body)
        return await self.twins[incoming.method].run(incoming.body, self._check)

    def answers(self, method: str) -> bool:
        """Whether calls of this name are carried out."""
        return method == REQUEST or method in self.twins

    async def _check(self, family: str, key: str) -> None:
        self._check_shard(family, await self._shards.of(family, key))

    def _check_shard(self, family: str, shard: int) -> None:
        """Raise NotOwned for a shard that is not ours (any more)."""
        if not self._owns(family, shard):
            raise NotOwned(family, shard)

    def _owns(self, family: str, shard: int) -> bool:
        owner = self._ownership.owner_of(family, shard)
        return owner is not None and owner.name == self._ownership.me.name

    # -- requests ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise Unavailable while this process does not know whether others still count with it."""
        if not self._ownership.has_valid_registration:
            raise Unavailable()

    async def answer(self, request: Request[Any], endpoint: Endpoint, here: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply to a request, from the process that it belongs to."""
        self._at_work.add(request)
        try:
            target = await self._target(request, endpoint)
            if target is not None and self._owns(*target):  # as nearly always: proxies know who owns what
                try:
                    return await here()
                except NotOwned as moved:
                    target = moved.family, moved.shard
            return await self._answer(request, endpoint, target, here)
        finally:
            self._at_work.discard(request)

    def give_up(self) -> None:
        """Others do not count with this process any more, and it cannot ask: what is at work here has an open end."""
        if self._at_work:
            logger.error("the registration has lapsed; %d requests are given up", len(self._at_work))
        for request in list(self._at_work):
            if request.work is not None:
                request.work.cancel()

    async def _answer(
        self, request: Request[Any], endpoint: Endpoint, target: ShardKey | None, here: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        async def there(owner: Worker, family: str, shard: int) -> Reply:
            return await self._pass_on(owner, request, endpoint, (family, shard))

        reply: Reply
        if target is not None:
            reply = await self._follow(target, here, there)
            return reply
        is_read = not endpoint.writes and endpoint.timeout is not Timeout.LONG_POLL
        if is_read and not self._ownership.owns_everything():
            await self._freshness.reach()
        try:
            return await here()
        except NotOwned as moved:
            reply = await self._follow((moved.family, moved.shard), here, there)
            return reply

    async def _target(self, request: Request[Any], endpoint: Endpoint) -> ShardKey | None:
        """The shard that a request writes to, as far as its path and its user tell."""
        if not endpoint.writes:
            return None
        requester = request.optional_requester
        if endpoint.balance is Balance.ROOM:
            if "room_id" not in request.params:  # a room that is yet to be made: by anybody who owns rooms
                who = requester.user_id if requester is not None else ""
                return ROOM.name, fresh_shard(ROOM, f"{who} {request.received_ms}")
            room_id = request.params["room_id"]
            shard = self._shards.known(ROOM.name, room_id)
            return ROOM.name, await self._shards.of(ROOM.name, room_id) if shard is None else shard
        if endpoint.balance is Balance.USER and requester is not None:
            return USER.name, requester.shard
        return None

    async def _pass_on(self, owner: Worker, request: Request[Any], endpoint: Endpoint, target: ShardKey) -> Reply:
        self.passed_on += 1
        passed_on = PassedOn(
            method=request.method,
            target=request.target,
            headers=[(name, value) for name, value in request.headers if name != "authorization"],
            body=request.raw_body,
            client_ip=request.client_ip,
            received_ms=request.received_ms,
            request_id=request.request_id,
            requester=request.optional_requester,
            origin=request.optional_origin,
            family=target[0],
            shard=target[1],
        )
        data = await self._call(owner, REQUEST, msgspec.msgpack.encode(passed_on), endpoint.timeout.value)
        reply = msgspec.msgpack.decode(data, type=ReplyFrom)
        return Reply(reply.status, reply.body, reply.headers, content_type=reply.content_type)

    async def _answer_request(self, data: bytes) -> bytes:
        passed_on = msgspec.msgpack.decode(data, type=PassedOn)
        self._check_shard(passed_on.family, passed_on.shard)
        request: Request[Any] = Request(
            passed_on.method,
            passed_on.target,
            passed_on.headers,
            passed_on.body,
            client_ip=passed_on.client_ip,
            received_ms=passed_on.received_ms,
            request_id=passed_on.request_id,
        )
        if passed_on.requester is not None:
            request.requester = passed_on.requester
        if passed_on.origin is not None:
            request.origin = passed_on.origin
        if self.app is None:
            raise Unavailable()
        reply = await self.app.answer_passed_on(request)
        return msgspec.msgpack.encode(ReplyFrom(reply.status, reply.body, reply.content_type, reply.headers))

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _follow(
        self,
        target: ShardKey,
        here: Callable[[], Awaitable[Any]],
        there: Callable[[Worker, str, int], Awaitable[Any]],
    ) -> Any:
        """Do it where the shard is owned, wherever that is by then. Raises Unavailable if nobody has it in time."""
        deadline_ms = self._clock.monotonic_ms() + PATIENCE_MS
        while True:
            owner = self._ownership.owner_of(*target)
            try:
                if owner is not None and owner.name == self._ownership.me.name:
                    return await here()
                if owner is not None:
                    return await there(owner, *target)
            except NotOwned as moved:
                is_news = (moved.family, moved.shard) != target
                target = (moved.family, moved.shard)
                if is_news and self._clock.monotonic_ms() < deadline_ms:
                    continue
            except Unreachable as error:
                if error.was_sent:
                    raise Unavailable() from error
            if self._clock.monotonic_ms() >= deadline_ms:
                raise Unavailable()
            await self._ownership.another_look(LOOK_SECONDS)

    async def _call(self, owner: Worker, method: str, body: bytes, timeout_s: float) -> bytes:
        try:
            return await self._peers.call(owner, method, body, timeout_s, current_request_id())
        except CallFailed as failed:
            raise raised_of(failed) from failed
        except (CallTimedOut, Overloaded) as error:
            raise Unavailable() from error
