"""Our users and the rooms of other servers: joining, knocking, leaving, and inviting users of theirs.

Each runs where the room is (or will be) owned, so that a room comes here once. Several servers are tried, one after the
other; a refusal of the room ends it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from replication.owned import owned
from synapse_like.federation.errors import RemoteError, ServerDenied
from synapse_like.federation.inbound.intake import is_inside
from synapse_like.federation.joining.handshakes import Handshakes, Wish
from synapse_like.federation.pdus import PduReader, parse
from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.replies import RoomReply
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import AuthError, BadGateway, Forbidden, MatrixError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER
from synapse_like.rooms.told import Told
from synapse_like.toolkit.locks import KeyedLocks

logger = logging.getLogger(__name__)

MOST_SERVERS = 10
_FINAL = {"M_FORBIDDEN", "M_INCOMPATIBLE_ROOM_VERSION", "M_UNSUPPORTED_ROOM_VERSION"}

T = TypeVar("T")
Json = dict[str, Any]


class RemoteMembership:
    """The front door: memberships of our users by way of other servers, and invites to users of theirs."""

    def __init__(self, rooms: Rooms, handshakes: Handshakes, reader: PduReader, policy: ServerPolicy) -> None:
        self.policy = policy
        self._rooms = rooms
        self._handshakes = handshakes
        self._reader = reader
        self._turns = KeyedLocks()

    async def is_here(self, room_id: str) -> bool:
        """Whether this server takes part in a room, or nobody else does: then its members are for us to change."""
        try:
            room = await self._rooms.live.get(room_id)
        except NotFound:
            return False
        return is_inside(room, self._rooms.identity.server_name) or room.head.joined_members == 0

    @owned(ROOM, "room_id")
    async def join(self, room_id: str, user_id: str, servers: list[str], content: dict[str, Any]) -> str | None:
        """Let a user join a room of other servers; the event's id, None if this server is in the room by now.

        Raises NotFound (no server is known that could help), Forbidden, or what the last server said.
        """
        async with self._turns.hold(room_id):
            if await self.is_here(room_id):
                return None
            wish = Wish(room_id, user_id, "join", content)
            candidates = await self._candidates(room_id, user_id, servers)
            return await self._try(candidates, lambda server: self._join(server, wish))

    @owned(ROOM, "room_id")
    async def knock(self, room_id: str, user_id: str, servers: list[str], content: dict[str, Any]) -> None:
        """Let a user knock at a room of other servers. Raises as `join` does."""
        wish = Wish(room_id, user_id, "knock", content)
        await self._try(await self._candidates(room_id, user_id, servers), lambda server: self._knock(server, wish))

    @owned(ROOM, "room_id")
    async def leave(self, room_id: str, user_id: str, content: dict[str, Any]) -> None:
        """Refuse an invite or take a knock back, in a room of other servers; they are told if they can be.

        Raises NotFound if the user has neither.
        """
        standing = (await self._rooms.memberships.rooms_of(user_id)).get(room_id)
        stored = await self._rooms.events.get_one(standing.event_id) if standing is not None else None
        if standing is None or stored is None or standing.membership not in ("invite", "knock"):
            raise NotFound("You are not in this room")
        wish = Wish(room_id, user_id, "leave", content)
        servers = await self._candidates(room_id, user_id, _told_by(stored))
        try:
            event = await self._try(servers, lambda server: self._leave(server, wish))
        except MatrixError as error:
            logger.info("nobody takes the departure of %s from %s: %s", user_id, room_id, error)
            event = self._departure(stored, wish)
        await self._rooms.out_of_band.store(room_id, stored.event.room_version, event)

    @owned(ROOM, "room_id")
    async def invite(
        self, room_id: str, sender: str, target: str, content: dict[str, Any], shown: list[dict[str, Any]]
    ) -> str:
        """Invite a user of another server, which has to agree; the event's id. Raises AuthError, or what it said."""
        room = await self._rooms.live.get(room_id)
        if room.create_event.content.get("m.federate", True) is False:
            raise Forbidden("This room is closed to other servers")
        draft = Draft(type=MEMBER, sender=sender, state_key=target, content={**content, "membership": "invite"})
        event = await self._rooms.creation.propose(room_id, draft)
        keys = {(str(entry["type"]), str(entry["state_key"])) for entry in shown} | {CREATE}
        state = [live.event.pdu for key, live in room.state.items() if key in keys]
        inviter = await self._rooms.events.get_one(room.members[sender].event_id) if sender in room.members else None
        state += [inviter.event.pdu] if inviter is not None else []
        try:
            event = await self._handshakes.send_invite(server_of(target), event, state, shown)
        except RemoteError as error:
            raise error.passed_on() from error
        extras: Mapping[str, Mapping[str, Any]] = {event.event_id: {"invite_room_state": shown}}
        (result,) = await self._rooms.reception.take_in(room_id, [event], extras=extras)
        if result is not Kind.LIVE:
            raise AuthError("The room has changed meanwhile, and does not allow the invite any more")
        return event.event_id

    # -- by way of one server ------------------------------------------------------------------------------------------

    async def _join(self, server: str, wish: Wish) -> str:
        event = await self._handshakes.make(server, wish)
        with closing(Told(wish.room_id, event.room_version, event.auth_references)) as told:
            reply = await self._handshakes.send_join(server, event, told)
            join = await self._as_taken(event, reply)
            try:
                await self._rooms.arrivals.arrive(told, join, await self._reader.verifier(reply.keys))
            except AuthError as error:
                raise BadGateway(f"{server} told of a room that cannot be: {error}") from error
        return join.event_id

    async def _as_taken(self, event: Event, reply: RoomReply) -> Event:
        """Our join as the other server has sent it on: with its signature, where a user of it had to authorise it."""
        sent_on = reply.rest.get("event")
        if event.content.get("join_authorised_via_users_server") is None or not isinstance(sent_on, dict):
            return event
        pdu = {**event.pdu, "signatures": sent_on.get("signatures")}
        told = parse(pdu, event.room_version, {})
        verified = await self._reader.verified([told], {}) if told is not None else []
        if told is None or not verified or told.event_id != event.event_id:
            raise BadGateway("The other server has not signed the join that it authorises")
        return told

    async def _knock(self, server: str, wish: Wish) -> None:
        event = await self._handshakes.make(server, wish)
        shown = await self._handshakes.send_knock(server, event)
        extras = {"knock_room_state": _stripped(shown), "via": server}
        await self._rooms.out_of_band.store(wish.room_id, event.room_version, event, extras)

    async def _leave(self, server: str, wish: Wish) -> Event:
        event = await self._handshakes.make(server, wish)
        await self._handshakes.send_leave(server, event)
        return event

    def _departure(self, stored: StoredEvent, wish: Wish) -> Event:
        """A departure that nobody else hears of, so that at least our user is rid of the invite."""
        event = stored.event
        pdu = {
            "type": MEMBER,
            "sender": wish.user_id,
            "state_key": wish.user_id,
            "room_id": wish.room_id,
            "content": {**wish.content, "membership": "leave"},
            "origin_server_ts": max(stored.received_ms, event.origin_server_ts) + 1,
            "depth": stored.place[0] + 1,
            "prev_events": [event.reference],
            "auth_events": [event.reference],
        }
        return self._handshakes.sign(pdu, event.room_version)

    # -- which servers -------------------------------------------------------------------------------------------------

    async def _candidates(self, room_id: str, user_id: str, servers: Sequence[str]) -> list[str]:
        """Who could help: those whom the client named, who invited, who was in the room, and whom its id names."""
        named = list(servers)
        standing = (await self._rooms.memberships.rooms_of(user_id)).get(room_id)
        if standing is not None and standing.membership == "invite":
            named.append(server_of(standing.sender))
        hosts = await self._rooms.hosts.of(room_id)
        named += sorted(hosts, key=lambda host: -hosts[host])[:MOST_SERVERS]
        if ":" in room_id:
            named.append(server_of(room_id))
        allowed = [server for server in dict.fromkeys(named) if self.policy.allows(server)]
        if not allowed:
            raise NotFound("This server is not in that room, and knows of no server that is")
        return allowed[:MOST_SERVERS]

    async def _try(self, servers: Sequence[str], attempt: Callable[[str], Awaitable[T]]) -> T:
        """The result of the first server that helps. Raises what the last one said, or the first refusal."""
        last: MatrixError = BadGateway("No server could help")
        for server in servers:
            try:
                return await attempt(server)
            except RemoteError as error:
                logger.info("%s does not help: %s", server, error)
                last = error.passed_on()
                if error.remote_errcode in _FINAL and not error.is_trouble:
                    break
            except ServerDenied:
                continue
            except MatrixError as error:
                logger.info("%s does not help: %s", server, error)
                last = error
        raise last


def _told_by(stored: StoredEvent) -> list[str]:
    """The server by way of which a user has knocked."""
    via = stored.extras.get("via")
    return [via] if isinstance(via, str) else []


def _stripped(shown: Sequence[Any]) -> list[Json]:
    keys = ("type", "state_key", "sender", "content")
    return [{key: entry[key] for key in keys} for entry in shown if isinstance(entry, dict) and set(keys) <= set(entry)]
