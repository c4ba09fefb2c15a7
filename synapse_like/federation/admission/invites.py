"""Invites of other servers for our users, and invites by address that another server exchanges for real ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from synapse_like.federation.admission.ports import InviteGate, everybody
from synapse_like.federation.inbound.intake import is_inside, is_let_in
from synapse_like.federation.pdus import PduReader, parse
from synapse_like.matrix.errors import Forbidden, IncompatibleRoomVersion, InvalidParam, MatrixError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import is_valid_room_id
from synapse_like.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from synapse_like.matrix.signatures import sign_event
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER
from synapse_like.toolkit.config.rate_limits import InviteLimits
from synapse_like.toolkit.ratelimit import RateLimiter

_MOST_STRIPPED = 200

Stripped = dict[str, Any]


class Invitations:
    """Takes invites for our users; runs where the room is (or will be) owned. `gate` is set by a feature."""

    def __init__(self, rooms: Rooms, reader: PduReader, limiter: RateLimiter, limits: InviteLimits) -> None:
        self.gate: InviteGate = everybody
        self._rooms = rooms
        self._reader = reader
        self._limiter = limiter
        self._limits = limits

    async def take(
        self, origin: str, room_id: str, event_id: str, version_name: str, pdu: Any, room_state: Sequence[Any]
    ) -> Event:
        """Take an invite: the event with our signature. Raises InvalidParam, Forbidden, IncompatibleRoomVersion."""
        version = ROOM_VERSIONS.get(version_name)
        if version is None:
            raise IncompatibleRoomVersion(room_version=version_name)
        event = self._checked(origin, room_id, event_id, version, pdu)
        target = event.key[1]
        self._limiter.check("rc_invites.per_user", target, self._limits.per_user)
        self._limiter.check("rc_invites.per_issuer", event.sender, self._limits.per_issuer)
        refused: dict[str, str] = {}
        verified = await self._reader.verified([event], refused)
        if not verified:
            raise InvalidParam(f"The invite is not signed as it must be: {refused.get(event_id, '')}")
        event = verified[0]
        await self.gate(event.sender, target, room_id)
        shown = stripped_of(room_state, room_id, version)
        own = self._rooms.identity
        signed = Event.restored(event_id, sign_event(event.pdu, version, own.server_name, own.signing_key), version)
        await self._keep(origin, version, signed, shown)
        return signed

    async def _keep(self, origin: str, version: RoomVersion, event: Event, shown: list[Stripped]) -> None:
        """Let the invite hold; a room in which we are gets it as its event, by a transaction."""
        try:
            room = await self._rooms.live.get(event.room_id)
        except NotFound:
            room = None
        if room is None or not is_inside(room, self._rooms.identity.server_name):
            await self._rooms.out_of_band.store(event.room_id, version, event, {"invite_room_state": shown})
        elif not is_let_in(room, origin):
            raise Forbidden("The room's ACL does not let your server in")
        elif room.membership_of(event.key[1]) in ("join", "ban"):
            raise Forbidden("The user is in the room already, or banned from it")

    def _checked(self, origin: str, room_id: str, event_id: str, version: RoomVersion, pdu: Any) -> Event:
        """The event, if it is an invite for one of our users. Source: the description of the endpoint."""
        refused: dict[str, str] = {}
        event = parse(pdu, version, refused)
        if event is None:
            raise InvalidParam(next(iter(refused.values()), "That is not an event"))
        if event.event_id != event_id or event.room_id != room_id or not is_valid_room_id(room_id):
            raise InvalidParam("The path names another event or room")
        if event.type != MEMBER or event.membership != "invite" or event.state_key is None:
            raise InvalidParam("That is not an invite")
        if server_of(event.sender) != origin:
            raise InvalidParam("The invite must be sent by a user of your server")
        if server_of(event.state_key) != self._rooms.identity.server_name:
            raise InvalidParam("The invited is no user of this server")
        return event


def stripped_of(room_state: Sequence[Any], room_id: str, version: RoomVersion) -> list[Stripped]:
    """What clients are shown of a room that they are invited to, out of PDUs or stripped events.

    Raises InvalidParam if a create event is of another room: in version 12 it tells the room's id.
    """
    shown: list[Stripped] = []
    for entry in room_state[:_MOST_STRIPPED]:
        if not isinstance(entry, dict):
            continue
        texts = [entry.get(key) for key in ("type", "state_key", "sender")]
        if not all(isinstance(text, str) for text in texts) or not isinstance(entry.get("content"), dict):
            continue
        if entry["type"] == "m.room.create" and "auth_events" in entry and version.domainless_room_id:
            _check_create(entry, room_id, version)
        shown.append({key: entry[key] for key in ("type", "state_key", "sender", "content")})
    return shown


def _check_create(entry: Mapping[str, Any], room_id: str, version: RoomVersion) -> None:
    try:
        create = Event.from_pdu(entry, version)
    except MatrixError as error:
        raise InvalidParam(f"The create event is malformed: {error}") from error
    if create.room_id != room_id:
        raise InvalidParam("The create event is of another room")
