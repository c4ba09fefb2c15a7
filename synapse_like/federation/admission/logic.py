"""Letting users of other servers join, knock and leave: the template of their event, and taking the signed one in.

Runs where the room is owned. Whether a change is allowed is decided by the rules of the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synapse_like.federation.admission.ports import Shown, nothing
from synapse_like.federation.inbound.intake import is_inside, is_let_in
from synapse_like.federation.outbound.pdus import FORWARD
from synapse_like.federation.pdus import PduReader, parse
from synapse_like.matrix.errors import Forbidden, IncompatibleRoomVersion, InvalidParam, NotFound, UnableToGrantJoin
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.signatures import sign_event
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.placement import Missing
from synapse_like.rooms.restricted import authoriser_of_join

_AUTHORISER = "join_authorised_via_users_server"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A membership of a user of another server that the room has taken in; `is_signed` if we had to sign it."""

    room: LiveRoom
    event: Event
    stored: StoredEvent
    is_signed: bool = False


class Admission:
    """Takes memberships of users of other servers. `shown` is set by the feature of membership."""

    def __init__(self, rooms: Rooms, reader: PduReader) -> None:
        self.shown: Shown = nothing
        self._rooms = rooms
        self._reader = reader

    async def template(
        self, origin: str, room_id: str, user_id: str, membership: str, versions: Sequence[str] | None = None
    ) -> tuple[RoomVersion, dict[str, Any]]:
        """The event by which a user of `origin` joins, knocks or leaves; with the room's version.

        Raises NotFound, Forbidden, IncompatibleRoomVersion, UnableToAuthoriseJoin, UnableToGrantJoin.
        """
        _check_user(origin, user_id)
        room = await self._enter(origin, room_id)
        version = room.identity.version
        if versions is not None and version.identifier not in versions:
            raise IncompatibleRoomVersion(room_version=version.identifier)
        if membership == "knock" and not version.has_knock:
            raise Forbidden("Rooms of this version cannot be knocked at")
        content: dict[str, Any] = {"membership": membership}
        if membership == "join":
            await self._rooms.live.add_members(room, [user_id])
            authoriser = await authoriser_of_join(room, user_id, self._rooms)
            if authoriser is not None:
                content[_AUTHORISER] = authoriser
        draft = Draft(type=MEMBER, sender=user_id, state_key=user_id, content=content)
        return version, await self._rooms.creation.template(room_id, draft)

    async def take(self, origin: str, room_id: str, event_id: str, pdu: Any, membership: str) -> Admitted:
        """Take a signed membership in; it is passed on to the other servers of the room.

        Raises NotFound, Forbidden, InvalidParam.
        """
        room = await self._enter(origin, room_id)
        event = _checked(pdu, room, origin, event_id, membership)
        is_signed = False
        if membership == "join":
            event, is_signed = await self._vouched(room, event)
        refused: dict[str, str] = {}
        verified = await self._reader.verified([event], refused)
        if not verified:
            raise InvalidParam(f"The event is not signed as it must be: {refused.get(event.event_id, '')}")
        extras: dict[str, dict[str, Any]] = {event.event_id: {FORWARD: True}}
        (result,) = await self._rooms.reception.take_in(room_id, verified, extras=extras)
        if isinstance(result, Missing) or result is not Kind.LIVE:
            raise Forbidden("The rules of the room do not allow this event")
        stored = await self._rooms.events.get_one(event.event_id)
        if stored is None:
            raise NotFound("The event is not known")
        return Admitted(room, verified[0], stored, is_signed)

    async def _vouched(self, room: LiveRoom, event: Event) -> tuple[Event, bool]:
        """A join that one of our users authorises gets our signature, if it is true that the user may join."""
        authoriser = event.content.get(_AUTHORISER)
        own = self._rooms.identity
        if not isinstance(authoriser, str) or server_of(authoriser) != own.server_name:
            return event, False
        await self._rooms.live.add_members(room, [event.sender])
        if room.membership_of(event.sender) not in ("join", "invite"):
            expected = await authoriser_of_join(room, event.sender, self._rooms)
            if expected is not None and room.power_levels.of(authoriser) < room.power_levels.invite:
                raise UnableToGrantJoin("That user may not invite")
        pdu = sign_event(event.pdu, room.identity.version, own.server_name, own.signing_key)
        return Event.restored(event.event_id, pdu, room.identity.version), True

    async def _enter(self, origin: str, room_id: str) -> LiveRoom:
        room = await self._rooms.live.get(room_id)
        if not is_inside(room, self._rooms.identity.server_name):
            raise NotFound("This server is not in that room")
        if not is_let_in(room, origin):
            raise Forbidden("The room's ACL does not let your server in")
        return room


def _check_user(origin: str, user_id: str) -> None:
    if not is_valid_user_id(user_id) or "\0" in user_id:
        raise InvalidParam("That is not a user ID")
    if server_of(user_id) != origin:
        raise Forbidden("That is not a user of your server")


def _checked(pdu: Any, room: LiveRoom, origin: str, event_id: str, membership: str) -> Event:
    """The event, if it is what it is sent as. Source: the descriptions of send_join, send_leave and send_knock."""
    refused: dict[str, str] = {}
    event = parse(pdu, room.identity.version, refused)
    if event is None:
        raise InvalidParam(next(iter(refused.values()), "That is not an event"))
    if event.event_id != event_id or event.room_id != room.identity.room_id:
        raise InvalidParam("The path names another event or room")
    if event.type != MEMBER or event.membership != membership:
        raise InvalidParam(f"That is not an m.room.member event with the membership {membership}")
    if event.state_key != event.sender or server_of(event.sender) != origin:
        raise InvalidParam("The event must be sent by the user whom it is about, who is a user of your server")
    return event
