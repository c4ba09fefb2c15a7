"""Endpoints of membership."""

from typing import Any

import msgspec

from synapse_like.features.directory import Directory
from synapse_like.features.membership.logic import Membership
from synapse_like.matrix.errors import InvalidParam, MissingParam, ServerNotTrusted
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.toolkit.http import Auth, Balance, Request, Timeout, client, endpoint

_ROOM = "/rooms/{room_id}"
_EVENTS = ("events",)
_MOST_SERVERS = 20


class ReasonBody(msgspec.Struct):
    """A change of one's own membership."""

    reason: str | None = None


class JoinBody(msgspec.Struct):
    """POST /join."""

    reason: str | None = None
    third_party_signed: dict[str, Any] | None = None


class TargetBody(msgspec.Struct):
    """A change of somebody's membership."""

    user_id: str
    reason: str | None = None


class InviteBody(msgspec.Struct):
    """POST /invite: a user, or an address by way of an identity server."""

    user_id: str | None = None
    reason: str | None = None
    id_server: str | None = None
    medium: str | None = None
    address: str | None = None


class MembershipApi:
    """Joining, inviting, knocking, leaving, forgetting, kicking, banning."""

    def __init__(self, membership: Membership, directory: Directory) -> None:
        self._membership = membership
        self._directory = directory

    @endpoint(
        "POST",
        client("/join/{room_id_or_alias}"),
        auth=Auth.GUEST,
        body=JoinBody,
        writes=_EVENTS,
        timeout=Timeout.SLOW,
        is_idempotent=True,
    )
    async def join_by_alias(self, request: Request[JoinBody]) -> dict[str, Any]:
        """Join a room by its id or alias."""
        room_id, servers = await self._directory.room_of(request.params["room_id_or_alias"])
        return await self._join(request, room_id, [*_via(request), *servers])

    @endpoint(
        "POST",
        client(_ROOM + "/join"),
        auth=Auth.GUEST,
        body=JoinBody,
        writes=_EVENTS,
        balance=Balance.ROOM,
        timeout=Timeout.SLOW,
        is_idempotent=True,
    )
    async def join(self, request: Request[JoinBody]) -> dict[str, Any]:
        """Join a room by its id."""
        return await self._join(request, request.params["room_id"], _via(request))

    async def _join(self, request: Request[JoinBody], room_id: str, servers: list[str]) -> dict[str, Any]:
        body = request.body
        await self._membership.join(
            request.requester, room_id, reason=body.reason, proof=body.third_party_signed, servers=servers
        )
        return {"room_id": room_id}

    @endpoint("POST", client("/knock/{room_id_or_alias}"), body=ReasonBody, writes=_EVENTS, timeout=Timeout.SLOW)
    async def knock(self, request: Request[ReasonBody]) -> dict[str, Any]:
        """Ask to be let in."""
        room_id, found = await self._directory.room_of(request.params["room_id_or_alias"])
        servers = [*_via(request), *found]
        await self._membership.knock(request.requester, room_id, reason=request.body.reason, servers=servers)
        return {"room_id": room_id}

    @endpoint("POST", client(_ROOM + "/invite"), body=InviteBody, writes=_EVENTS, balance=Balance.ROOM)
    async def invite(self, request: Request[InviteBody]) -> dict[str, Any]:
        """Invite a user."""
        body = request.body
        if body.user_id is None:
            if body.address is None:
                raise MissingParam("user_id is missing")
            raise ServerNotTrusted("This server asks no identity server, and cannot invite by address")
        room_id = request.params["room_id"]
        await self._membership.invite(request.requester, room_id, body.user_id, reason=body.reason)
        return {}

    @endpoint(
        "POST",
        client(_ROOM + "/leave"),
        auth=Auth.GUEST,
        body=ReasonBody,
        writes=_EVENTS,
        balance=Balance.ROOM,
        is_idempotent=True,
    )
    async def leave(self, request: Request[ReasonBody]) -> dict[str, Any]:
        """Leave a room, or refuse an invite."""
        user_id = request.requester.user_id
        await self._membership.leave(user_id, request.params["room_id"], reason=request.body.reason)
        return {}

    @endpoint("POST", client(_ROOM + "/forget"), auth=Auth.GUEST, balance=Balance.ROOM, is_idempotent=True)
    async def forget(self, request: Request) -> dict[str, Any]:
        """Forget a room that one has left."""
        await self._membership.forget(request.requester.user_id, request.params["room_id"])
        return {}

    @endpoint("POST", client(_ROOM + "/kick"), body=TargetBody, writes=_EVENTS, balance=Balance.ROOM)
    async def kick(self, request: Request[TargetBody]) -> dict[str, Any]:
        """Make somebody leave."""
        room_id, target = request.params["room_id"], _target(request)
        await self._membership.kick(request.requester, room_id, target, reason=request.body.reason)
        return {}

    @endpoint("POST", client(_ROOM + "/ban"), body=TargetBody, writes=_EVENTS, balance=Balance.ROOM)
    async def ban(self, request: Request[TargetBody]) -> dict[str, Any]:
        """Ban somebody."""
        room_id, target = request.params["room_id"], _target(request)
        await self._membership.ban(request.requester, room_id, target, reason=request.body.reason)
        return {}

    @endpoint("POST", client(_ROOM + "/unban"), body=TargetBody, writes=_EVENTS, balance=Balance.ROOM)
    async def unban(self, request: Request[TargetBody]) -> dict[str, Any]:
        """Lift a ban."""
        room_id, target = request.params["room_id"], _target(request)
        await self._membership.unban(request.requester, room_id, target, reason=request.body.reason)
        return {}


def _via(request: Request[Any]) -> list[str]:
    """The servers that the client thinks are in the room; `server_name` is how old clients say it."""
    return [*request.query.getall("via"), *request.query.getall("server_name")][:_MOST_SERVERS]


def _target(request: Request[TargetBody]) -> str:
    user_id = request.body.user_id
    if not is_valid_user_id(user_id) or "\0" in user_id:
        raise InvalidParam(f"{user_id!r} is not a user ID")
    return user_id
