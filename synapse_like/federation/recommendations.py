"""Asking a room's policy server whether events are wanted there, for those made here and those of others.

A server is asked only while a user of it is in the room. An event of ours that it does not sign is not sent, except
that a user may always leave; one of others is soft-failed. Source: server-server API, "Policy Servers"; MSC4284.
"""

import logging
from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from synapse_like.federation.client import FederationClient
from synapse_like.federation.errors import RemoteError
from synapse_like.federation.slots import Slots
from synapse_like.matrix.errors import BadGateway, BadJson, Forbidden, MatrixError
from synapse_like.matrix.events import Event
from synapse_like.matrix.policy_servers import POLICY, PolicyServer, policy_server
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.hosts import RoomHosts
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.placement import WITHOUT_STATE

logger = logging.getLogger(__name__)

SIGN: Final = "/_matrix/policy/v1/sign"
TIMEOUT_S: Final = 10.0
_LIMIT_BYTES: Final = 64 * 1024


class Recommendations:
    """The policy servers of rooms, asked over federation."""

    def __init__(self, client: FederationClient, hosts: RoomHosts, events: EventStore) -> None:
        self._client = client
        self._hosts = hosts
        self._events = events
        self._slots = Slots()

    async def recommended(self, room: LiveRoom, event: Event) -> Event:
        """An event of ours with the signature of the room's policy server, if it has to have one.

        Raises Forbidden if that server does not want it, BadGateway if it gives no answer that can be used.
        """
        server = await self._server_of(room)
        if server is None or _is_exempt(event) or server.recommends(event):
            return event
        try:
            return await self._ask(server, event)
        except MatrixError as error:
            if event.membership == "leave" and event.state_key == event.sender:
                logger.info("%s leaves %s without the word of %s: %s", event.sender, event.room_id, server.name, error)
                return event
            raise

    async def reviewed(self, room: LiveRoom, events: Sequence[Event]) -> tuple[list[Event], frozenset[str]]:
        """Events of others with that signature, in the same order; and the ids of those that do not get it."""
        server = await self._server_of(room)
        reviewed = {event.event_id: event for event in events}
        if server is None:
            return list(events), frozenset()
        stored = await self._events.get(reviewed)
        known = {event_id for event_id, each in stored.items() if each.kind not in WITHOUT_STATE}
        asked = [e for e in events if e.event_id not in known and not _is_exempt(e) and not server.recommends(e)]
        answers = await DeferredList([Deferred.fromCoroutine(self._ask(server, e)) for e in asked], consumeErrors=True)
        unwanted: set[str] = set()
        for event, (_, answer) in zip(asked, answers, strict=True):
            if isinstance(answer, Event):
                reviewed[event.event_id] = answer
            elif isinstance(answer, Failure) and answer.check(MatrixError):
                unwanted.add(event.event_id)
                logger.info(
                    "%s of %s is not wanted in %s: %s", event.event_id, event.sender, event.room_id, answer.value
                )
            elif isinstance(answer, Failure):
                answer.raiseException()
        return [reviewed[event.event_id] for event in events], frozenset(unwanted)

    async def _server_of(self, room: LiveRoom) -> PolicyServer | None:
        named = room.state_event(*POLICY)
        server = policy_server(named.content) if named is not None else None
        if server is None or not await self._hosts.has(room.identity.room_id, server.name):
            return None
        return server

    async def _ask(self, server: PolicyServer, event: Event) -> Event:
        try:
            async with self._slots.take(server.name):
                answer = await self._client.post(
                    server.name, SIGN, event.encoded, timeout_s=TIMEOUT_S, limit_bytes=_LIMIT_BYTES
                )
            return server.with_recommendation(event, answer)
        except RemoteError as error:
            if error.is_trouble:
                raise BadGateway(f"The room's policy server cannot answer now: {error}") from error
            raise Forbidden(f"The room's policy server, {server.name}, refuses: {error.remote_message}") from error
        except BadJson as error:
            raise BadGateway(f"The answer of the room's policy server is of no use: {error}") from error


def _is_exempt(event: Event) -> bool:
    return (event.type, event.state_key) == POLICY
