"""Making rooms: all events of a new room, invites among them, are stored in one commit.

The events themselves are put together in `drafts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synapse_like.features.directory import Directory, PublicRooms
from synapse_like.features.membership import Membership
from synapse_like.features.room_creation.config import RoomCreationConfig
from synapse_like.features.room_creation.drafts import Plan, create_draft, invite_drafts, state_drafts
from synapse_like.features.room_creation.order import RoomOrder
from synapse_like.matrix.errors import AuthError, InvalidRoomState, ServerNotTrusted
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.ratelimit import RateLimiter

_ID_LENGTH = 18


@dataclass(frozen=True, slots=True)
class CreationTools:
    """What making a room needs besides rooms: chance, limits, configuration."""

    randomness: Randomness
    limiter: RateLimiter
    limit: RateLimit
    config: RoomCreationConfig


class RoomCreation:
    """The front door: makes rooms."""

    def __init__(
        self,
        rooms: Rooms,
        membership: Membership,
        directory: Directory,
        public_rooms: PublicRooms,
        tools: CreationTools,
    ) -> None:
        self._rooms = rooms
        self._membership = membership
        self._directory = directory
        self._public_rooms = public_rooms
        self._tools = tools

    async def create(self, requester: Requester, order: RoomOrder) -> str:
        """Make a room; its id. Raises LimitExceeded, UnsupportedRoomVersion, InvalidParam, InvalidRoomState,
        RoomInUse, Forbidden, ServerNotTrusted.
        """
        self.check_limit(requester)
        if order.invite_3pid:
            raise ServerNotTrusted("This server asks no identity server, and cannot invite by address")
        plan = self._plan(requester, order)
        self._membership.limits.check_invites(requester, None, order.invited)
        is_public = order.visibility == "public"
        if is_public:
            self._public_rooms.check_publication(requester, "", [plan.alias] if plan.alias else [])
        if plan.alias is None:
            room_id = await self._found(plan)
        else:
            room_id = await self._found_with_alias(requester, plan, plan.alias)
        if is_public:
            await self._public_rooms.list_room(room_id)
        return room_id

    def check_limit(self, requester: Requester) -> None:
        """Count a new room of a user. Raises LimitExceeded."""
        self._tools.limiter.check("rc_room_creation", requester.user_id, self._tools.limit)

    def fresh_room_id(self) -> str:
        """A room id for versions that let the server choose it (before 12)."""
        return f"!{self._tools.randomness.random_string(_ID_LENGTH)}:{self._rooms.identity.server_name}"

    def _plan(self, requester: Requester, order: RoomOrder) -> Plan:
        version = room_version(order.room_version or self._tools.config.default_room_version)
        overrides: Mapping[str, Any] = self._tools.config.default_power_level_content_override
        name = order.room_alias_name
        return Plan(
            order=order,
            version=version,
            creator=requester.user_id,
            alias=f"#{name}:{self._rooms.identity.server_name}" if name else None,
            level_overrides=overrides.get(order.chosen_preset),
            is_encrypted=self._tools.config.is_encrypted(order.chosen_preset),
        )

    async def _found_with_alias(self, requester: Requester, plan: Plan, alias: str) -> str:
        await self._directory.reserve(requester, alias)
        try:
            room_id = await self._found(plan)
        except BaseException:
            await self._directory.release(alias)
            raise
        await self._directory.point(alias, room_id)
        return room_id

    async def _found(self, plan: Plan) -> str:
        create = create_draft(plan)
        state = await state_drafts(plan, self._membership)
        invites = await invite_drafts(plan, [create, *state], self._membership)
        room_id = None if plan.version.domainless_room_id else self.fresh_room_id()
        try:
            room_id = await self._rooms.creation.found_room(plan.version, room_id, create, [*state, *invites])
        except AuthError as error:
            raise InvalidRoomState(error.message) from error
        await self._membership.invite_others(plan.creator, room_id, plan.order.invited, is_direct=plan.is_direct)
        return room_id
