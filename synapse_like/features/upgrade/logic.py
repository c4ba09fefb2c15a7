"""Replacing a room by one of another version: the new room first, complete and in one commit; then the old one's end.

Source: Client-Server API, "Room Upgrades"; Room Version 12 (creators).
"""

from collections.abc import Sequence

from synapse_like.features.directory import Directory
from synapse_like.features.membership import Membership
from synapse_like.features.room_creation import RoomCreation
from synapse_like.features.upgrade.drafts import (
    CANONICAL_ALIAS,
    POWER_LEVELS,
    Replacement,
    create_draft,
    state_drafts,
    tombstone_draft,
)
from synapse_like.features.upgrade.power_levels import closed_down
from synapse_like.matrix.errors import AuthError, Forbidden, InvalidParam, InvalidRoomState
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.matrix.room_versions import RoomVersion, room_version
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.locks import KeyedLocks


class RoomUpgrades:
    """The front door: replaces rooms."""

    def __init__(self, rooms: Rooms, membership: Membership, directory: Directory, creation: RoomCreation) -> None:
        self._rooms = rooms
        self._membership = membership
        self._directory = directory
        self._creation = creation
        self._turns = KeyedLocks()

    async def upgrade(
        self, requester: Requester, room_id: str, new_version: str, additional_creators: Sequence[str] = ()
    ) -> str:
        """Replace a room; the new room's id.

        Raises UnsupportedRoomVersion, NotFound, Forbidden, InvalidParam, InvalidRoomState, LimitExceeded.
        """
        version = room_version(new_version)
        for creator in additional_creators:
            if not is_valid_user_id(creator):
                raise InvalidParam(f"{creator!r} is not a user ID")
        user_id = requester.user_id
        async with self._turns.hold(room_id):
            room = await self._rooms.live.get(room_id)
            _check_power(room, user_id)
            self._creation.check_limit(requester)
            new_id = await self._found(room, version, user_id, additional_creators)
            await self._rooms.creation.send(room_id, tombstone_draft(user_id, new_id))
            await self._directory.move(room_id, new_id)
            await self._close_down(room_id, user_id)
        return new_id

    async def _found(self, room: LiveRoom, version: RoomVersion, user_id: str, others: Sequence[str]) -> str:
        profile = (await self._membership.profile_of(user_id)).content()
        banned = await self._rooms.memberships.members_of(room.identity.room_id, ("ban",))
        creators = list(dict.fromkeys([user_id, *others]))
        plan = Replacement(room, version, user_id, creators, [each.user_id for each in banned])
        drafts = list(state_drafts(plan, {"membership": "join", **profile}))
        room_id = None if version.domainless_room_id else self._creation.fresh_room_id()
        try:
            return await self._rooms.creation.found_room(version, room_id, create_draft(plan), drafts)
        except AuthError as error:
            raise InvalidRoomState(error.message) from error

    async def _close_down(self, room_id: str, user_id: str) -> None:
        """Take the alias from the old room and quieten it, as far as the user may."""
        room = await self._rooms.live.get(room_id)
        alias = room.state_event(CANONICAL_ALIAS)
        levels = closed_down(room)
        if alias is not None and alias.content:
            await self._try(room_id, Draft(type=CANONICAL_ALIAS, sender=user_id, state_key="", content={}))
        if levels is not None:
            await self._try(room_id, Draft(type=POWER_LEVELS, sender=user_id, state_key="", content=levels))

    async def _try(self, room_id: str, draft: Draft) -> None:
        try:
            await self._rooms.creation.send(room_id, draft)
        except AuthError:
            return


def _check_power(room: LiveRoom, user_id: str) -> None:
    levels = room.power_levels
    may_replace = levels.of(user_id) >= levels.to_send("m.room.tombstone", True)
    if room.membership_of(user_id) != "join" or not may_replace:
        raise Forbidden("You may not replace this room")
