"""Changes of membership: joining, inviting, knocking, leaving, forgetting, kicking, banning, and new profiles.

Whether a change is allowed is decided by the authorization rules when the event is made; here stands what comes
before: limits, the state that the invited see, who vouches for a restricted join, and what a repeat means.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replication.owned import owned
from synapse_like.features.membership import sql
from synapse_like.features.membership.config import MembershipConfig
from synapse_like.features.membership.guests import GUEST, are_welcome, guests_in, mark_of
from synapse_like.features.membership.limits import MembershipLimits
from synapse_like.features.membership.profile import MemberProfile, ProfileOf, no_profile
from synapse_like.features.membership.stripped import StrippedState
from synapse_like.features.membership.third_party import invite_by_proof
from synapse_like.federation.joining import RemoteMembership
from synapse_like.matrix.errors import BadJson, BadState, Forbidden, InvalidParam, MatrixError, Unknown
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.restricted import authoriser_of_join
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.locks import KeyedLocks

logger = logging.getLogger(__name__)

MEMBERSHIPS = frozenset({"join", "invite", "knock", "leave", "ban"})
_PRESENT = ("join", "invite", "knock")


@dataclass(frozen=True, slots=True)
class Change:
    """A membership that somebody wants for somebody. `content` are further keys of the event."""

    room: LiveRoom
    sender: str
    target: str
    membership: str
    content: Mapping[str, Any]


class Membership:
    """The front door: changes memberships of local users. `profile_of` is set by the feature of profiles."""

    def __init__(
        self,
        rooms: Rooms,
        database: Database,
        limits: MembershipLimits,
        stripped: StrippedState,
        config: MembershipConfig,
        remote: RemoteMembership,
    ) -> None:
        self._remote = remote
        self.limits = limits
        self.stripped = stripped
        self.profile_of: ProfileOf = no_profile
        self._rooms = rooms
        self._database = database
        self._config = config
        self._turns = KeyedLocks()

    @owned(ROOM, "room_id")
    async def join(
        self,
        requester: Requester,
        room_id: str,
        *,
        reason: str | None = None,
        proof: Mapping[str, Any] | None = None,
        servers: Sequence[str] = (),
    ) -> None:
        """Join a room; nothing happens if the user is in it. `proof` is the `third_party_signed` of the request,
        `servers` may help if this server is not in the room.

        Raises NotFound, Forbidden, LimitExceeded, GuestAccessForbidden, UnableToGrantJoin, what other servers say.
        """
        if not await self._remote.is_here(room_id):
            self.limits.check_remote_join(requester)
            guest = GUEST if requester.is_guest else {}
            content = {**(await self.profile_of(requester.user_id)).content(), **_reason(reason), **guest}
            if await self._remote.join(room_id, requester.user_id, list(servers), content) is not None:
                return
        await self._join(requester, room_id, _reason(reason), proof)

    @owned(ROOM, "room_id")
    async def invite(
        self, requester: Requester, room_id: str, target: str, *, reason: str | None = None, is_direct: bool = False
    ) -> None:
        """Invite a user. Raises NotFound, Forbidden, InvalidParam, LimitExceeded, what the user's server says."""
        room = await self._room(room_id, target)
        _require_joined(room, requester.user_id)
        direct = {"is_direct": True} if is_direct else {}
        await self._invite(requester, room, target, _reason(reason) | direct)

    @owned(ROOM, "room_id")
    async def knock(
        self, requester: Requester, room_id: str, *, reason: str | None = None, servers: Sequence[str] = ()
    ) -> None:
        """Ask to be let in. Raises NotFound, Forbidden, LimitExceeded, what other servers say."""
        if await self._remote.is_here(room_id):
            await self._knock(requester, await self._room(room_id), _reason(reason))
            return
        self.limits.check_remote_join(requester)
        content = {**(await self.profile_of(requester.user_id)).content(), **_reason(reason)}
        await self._remote.knock(room_id, requester.user_id, list(servers), content)

    @owned(ROOM, "room_id")
    async def leave(self, user_id: str, room_id: str, *, reason: str | None = None) -> None:
        """Leave a room, refuse an invite or take a knock back; nothing happens if the user has left.

        Raises NotFound, Forbidden.
        """
        async with self._turns.hold(f"{room_id} {user_id}"):
            if not await self._remote.is_here(room_id):
                if await self._rooms.memberships.of(user_id, room_id) not in ("leave", "ban"):
                    await self._remote.leave(room_id, user_id, _reason(reason))
            else:
                room = await self._room(room_id)
                if room.membership_of(user_id) == "leave":
                    return
                await self._send(Change(room, user_id, user_id, "leave", _reason(reason)))
        if self._config.forget_rooms_on_leave:
            await self.forget(user_id, room_id)

    async def leave_all(self, user_id: str, *, reason: str | None = None) -> None:
        """Leave every room, refuse every invite (when an account is closed). A room that refuses is passed over."""
        for room in list((await self._rooms.memberships.rooms_of(user_id)).values()):
            if room.membership in _PRESENT:
                try:
                    await self.leave(user_id, room.room_id, reason=reason)
                except MatrixError:
                    continue

    @owned(ROOM, "room_id")
    async def forget(self, user_id: str, room_id: str) -> None:
        """Forget a room that the user has left. Raises Unknown if the user has not left it, NotFound."""
        if await self._remote.is_here(room_id):
            membership = (await self._room(room_id)).membership_of(user_id)
        else:
            membership = await self._rooms.memberships.of(user_id, room_id)
        if membership in _PRESENT:
            raise Unknown("You have not left this room")
        if membership is None:
            return
        if await self._database.write(lambda txn: sql.forget(txn, user_id, room_id)):
            self._rooms.memberships.drop(user_id)

    @owned(ROOM, "room_id")
    async def kick(self, requester: Requester, room_id: str, target: str, *, reason: str | None = None) -> None:
        """Make somebody leave, or take an invite back. Raises NotFound, Forbidden."""
        room = await self._room(room_id, target)
        _require_joined(room, requester.user_id)
        if _membership(room, target) not in _PRESENT:
            raise Forbidden(f"{target} is not in this room")
        await self._send(Change(room, requester.user_id, target, "leave", _reason(reason)))

    @owned(ROOM, "room_id")
    async def ban(self, requester: Requester, room_id: str, target: str, *, reason: str | None = None) -> None:
        """Ban somebody. Raises NotFound, Forbidden."""
        room = await self._room(room_id, target)
        await self._send(Change(room, requester.user_id, target, "ban", _reason(reason)))

    @owned(ROOM, "room_id")
    async def unban(self, requester: Requester, room_id: str, target: str, *, reason: str | None = None) -> None:
        """Lift a ban. Raises NotFound, Forbidden, BadState if there is none."""
        room = await self._room(room_id, target)
        _require_joined(room, requester.user_id)
        if _membership(room, target) != "ban":
            raise BadState(f"{target} is not banned")
        await self._send(Change(room, requester.user_id, target, "leave", _reason(reason)))

    @owned(ROOM, "room_id")
    async def set_member(self, requester: Requester, room_id: str, target: str, content: Mapping[str, Any]) -> str:
        """Set a membership by its state event, as clients may; the event's id.

        Raises BadJson for a membership that does not exist, and what the single changes raise.
        """
        membership = content.get("membership")
        if not isinstance(membership, str) or membership not in MEMBERSHIPS:
            raise BadJson(f"The membership {membership!r} does not exist")
        if not is_valid_user_id(target):
            raise InvalidParam(f"{target!r} is not a user ID")
        extra = self._own_content(content)
        room = await self._room(room_id, target)
        user_id = requester.user_id
        if membership == "join" and target == user_id:
            return await self._join(requester, room_id, extra, None, is_update=True)
        if membership == "knock" and target == user_id:
            return await self._knock(requester, room, extra)
        if membership == "invite":
            _require_joined(room, user_id)
            return await self._invite(requester, room, target, extra)
        return await self._send(Change(room, user_id, target, membership, extra))

    @owned(ROOM, "room_id")
    async def announce_profile(self, user_id: str, room_id: str, profile: MemberProfile) -> None:
        """Tell a room that the user is in about a new name or avatar; nothing happens if it knows.

        `profile` comes along, for the room may live in a process that has not heard of it yet.
        """
        async with self._turns.hold(f"{room_id} {user_id}"):
            room = await self._room(room_id)
            member = room.members.get(user_id)
            if member is None or member.membership != "join":
                return
            if (member.display_name, member.avatar_url) == (profile.display_name, profile.avatar_url):
                return
            content = {**profile.content(), **await mark_of(member.event_id, self._rooms)}
            await self._send(Change(room, user_id, user_id, "join", content))

    async def remove_guests(self, room_id: str) -> None:
        """Let all local guests leave a room that is closed to guests; nothing happens if it is not.

        Source: Client-Server API, "Guest Access".
        """
        room = await self._room(room_id)
        if not are_welcome(room):
            for user_id in await guests_in(room, self._rooms):
                await self.leave(user_id, room_id)

    async def invite_content(self, target: str, *, is_direct: bool = False) -> dict[str, Any]:
        """The content of an invite, for rooms that are being made."""
        direct = {"is_direct": True} if is_direct else {}
        profile = (await self.profile_of(target)).content() if self._config.include_profile_data_on_invite else {}
        return {"membership": "invite", **profile, **direct}

    async def invite_others(self, sender: str, room_id: str, targets: Sequence[str], *, is_direct: bool) -> None:
        """Invite the users of other servers among those for whom a room was made; whoever cannot be is passed over."""
        others = [target for target in targets if not self.limits.is_local(target)]
        shown = self.stripped.of_room(await self._room(room_id), sender) if others else []
        for target in others:
            content = await self.invite_content(target, is_direct=is_direct)
            try:
                await self._remote.invite(room_id, sender, target, content, shown)
            except MatrixError as error:
                logger.warning("%s could not be invited to the new room %s: %s", target, room_id, error)

    async def _join(
        self,
        requester: Requester,
        room_id: str,
        content: Mapping[str, Any],
        proof: Mapping[str, Any] | None,
        *,
        is_update: bool = False,
    ) -> str:
        user_id = requester.user_id
        async with self._turns.hold(f"{room_id} {user_id}"):
            room = await self._room(room_id)
            member = room.members.get(user_id)
            is_in = member is not None and member.membership == "join"
            if member is not None and is_in and not is_update:
                return member.event_id
            if not is_in:
                self.limits.check_join(requester, room)
            if proof is not None and room.membership_of(user_id) not in ("invite", "join"):
                server_name = self._rooms.identity.server_name
                await self._rooms.creation.send(room_id, invite_by_proof(room, user_id, proof, server_name))
            authoriser = await authoriser_of_join(room, user_id, self._rooms)
            vouched = {"join_authorised_via_users_server": authoriser} if authoriser else {}
            guest = GUEST if requester.is_guest else {}
            profile = (await self.profile_of(user_id)).content()
            return await self._send(Change(room, user_id, user_id, "join", {**profile, **content, **guest, **vouched}))

    async def _invite(self, requester: Requester, room: LiveRoom, target: str, content: Mapping[str, Any]) -> str:
        self.limits.check_invites(requester, room.identity.room_id, [target])
        sender = requester.user_id
        full = {**await self.invite_content(target), **content}
        shown = self.stripped.of_room(room, sender)
        if not self.limits.is_local(target):
            return await self._remote.invite(room.identity.room_id, sender, target, full, shown)
        return await self._send(Change(room, sender, target, "invite", full), {"invite_room_state": shown})

    async def _knock(self, requester: Requester, room: LiveRoom, content: Mapping[str, Any]) -> str:
        user_id = requester.user_id
        self.limits.check_join(requester, room)
        full = {**(await self.profile_of(user_id)).content(), **content}
        extras = {"knock_room_state": self.stripped.of_room(room)}
        return await self._send(Change(room, user_id, user_id, "knock", full), extras)

    async def _send(self, change: Change, extras: Mapping[str, Any] | None = None) -> str:
        draft = Draft(
            type=MEMBER,
            sender=change.sender,
            state_key=change.target,
            content={**change.content, "membership": change.membership},
            extras=extras or {},
        )
        return await self._rooms.creation.send(change.room.identity.room_id, draft)

    async def _room(self, room_id: str, target: str | None = None) -> LiveRoom:
        room = await self._rooms.live.get(room_id)
        if target is not None and not self.limits.is_local(target):
            await self._rooms.live.add_members(room, [target])
        return room

    def _own_content(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What of a client's m.room.member is the client's to say."""
        hidden = {"membership", "join_authorised_via_users_server", "kind"}
        if not self._config.allow_per_room_profiles:
            hidden |= {"displayname", "avatar_url"}
        if any("\0" in str(content.get(key)) for key in ("displayname", "avatar_url")):
            raise BadJson("Names and avatars must not contain NUL")
        return {key: value for key, value in content.items() if key not in hidden}


def _membership(room: LiveRoom, user_id: str) -> str | None:
    member = room.members.get(user_id)
    return member.membership if member else None


def _require_joined(room: LiveRoom, user_id: str) -> None:
    if room.membership_of(user_id) != "join":
        raise Forbidden("You are not in this room")


def _reason(reason: str | None) -> dict[str, Any]:
    return {} if reason is None else {"reason": reason}
