"""Where events of other servers come to their room: at its owner, a batch of one transaction at a time.

What follows on what we have is stored at once, in one commit. What does not is staged in the database and answered
for; then what leads to it is fetched. Events of rooms in which this server is not are ignored, but for those that end
an invite or a knock of our users.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replication.owned import owned
from synapse_like.federation.inbound.gaps import GapFilling, predecessors_first
from synapse_like.federation.inbound.staging import Staged, Staging
from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.errors import MatrixError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.server_acl import SERVER_ACL, lets_in
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.placement import Missing
from synapse_like.toolkit.clock import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A verified event on its way to its room: its id, and the PDU as it is to be stored."""

    event_id: str
    json: str

    def event(self, version: RoomVersion) -> Event:
        """The event."""
        return Event.restored(self.event_id, parsed(self.json), version)


class RoomIntake:
    """Takes events of other servers into rooms."""

    def __init__(self, rooms: Rooms, staging: Staging, gaps: GapFilling, clock: Clock) -> None:
        self._rooms = rooms
        self._staging = staging
        self._gaps = gaps
        self._clock = clock
        staging.settle = self._settle

    @owned(ROOM, "room_id")
    async def take(self, room_id: str, origin: str, events: list[SentEvent]) -> dict[str, str]:
        """Take verified events of one room; why some are refused, by id. What is not refused is stored or staged."""
        try:
            room = await self._rooms.live.get(room_id)
        except NotFound:
            room = None
        if room is None or not is_inside(room, self._rooms.identity.server_name):
            return await self._end_out_of_band(room_id, events)
        if not is_let_in(room, origin):
            return dict.fromkeys([sent.event_id for sent in events], "The room's ACL does not let this server in")
        if self._staging.is_waiting(room_id):
            return await self._stage(room, origin, events)
        version = room.identity.version
        parsed = predecessors_first(sent.event(version) for sent in events)
        results = await self._rooms.reception.take_in(room_id, parsed)
        missing = {event.event_id for event, result in zip(parsed, results, strict=True) if isinstance(result, Missing)}
        refused: dict[str, str] = {
            event.event_id: "The rules of the room do not allow this event"
            for event, result in zip(parsed, results, strict=True)
            if result is Kind.REJECTED
        }
        if missing:
            refused |= await self._stage(room, origin, [sent for sent in events if sent.event_id in missing])
        return refused

    async def _stage(self, room: LiveRoom, origin: str, events: Sequence[SentEvent]) -> dict[str, str]:
        now_ms = self._clock.now_ms()
        where = room.identity.room_id, room.identity.shard
        staged = [Staged(where[0], sent.event_id, origin, where[1], now_ms, 0, sent.json) for sent in events]
        refused = await self._staging.stage(staged)
        return dict.fromkeys(refused, "Too many events of this room are waiting")

    async def _settle(self, staged: Staged) -> bool:
        """Take in an event that has waited; False if what leads to it cannot be fetched now."""
        try:
            room = await self._rooms.live.get(staged.room_id)
        except NotFound:
            return True
        if not is_inside(room, self._rooms.identity.server_name):
            return True
        event = SentEvent(staged.event_id, staged.json).event(room.identity.version)
        (result,) = await self._rooms.reception.take_in(staged.room_id, [event])
        if not isinstance(result, Missing):
            return True
        return await self._gaps.fill(room, staged.origin, event, result.event_ids)

    async def _end_out_of_band(self, room_id: str, events: Sequence[SentEvent]) -> dict[str, str]:
        """Let invites and knocks of our users end, as the other side says."""
        version = await self._rooms.out_of_band.version_of(room_id)
        if version is None:
            return {}
        for sent in events:
            event = sent.event(version)
            if event.type == MEMBER and event.membership in ("leave", "ban") and self._is_local(event.state_key):
                try:
                    await self._end(room_id, version, event)
                except MatrixError as error:
                    logger.info("the end of an invite in %s is ignored: %s", room_id, error)
        return {}

    async def _end(self, room_id: str, version: RoomVersion, event: Event) -> None:
        """We know nothing of the room's power levels: who invited may take it back, and anybody refuse a knock."""
        standing = (await self._rooms.memberships.rooms_of(event.key[1])).get(room_id)
        if standing is None or standing.event_id not in event.auth_event_ids:
            return
        is_inviter = server_of(standing.sender) == server_of(event.sender)
        if standing.membership == "knock" or (standing.membership == "invite" and is_inviter):
            await self._rooms.out_of_band.store(room_id, version, event)

    def _is_local(self, user_id: str | None) -> bool:
        return user_id is not None and server_of(user_id) == self._rooms.identity.server_name


def is_inside(room: LiveRoom, server_name: str) -> bool:
    """Whether a user of ours has joined the room."""
    suffix = ":" + server_name
    return any(m.membership == "join" and m.user_id.endswith(suffix) for m in room.members.values())


def is_let_in(room: LiveRoom, server_name: str) -> bool:
    """Whether the room's ACL lets a server take part."""
    return lets_in(room.state_event(*SERVER_ACL), server_name)


def by_room(events: Sequence[Event]) -> Mapping[str, list[SentEvent]]:
    """Events as they are sent to the owners of their rooms."""
    found: dict[str, list[SentEvent]] = {}
    for event in events:
        found.setdefault(event.room_id, []).append(SentEvent(event.event_id, event.encoded.decode()))
    return found
