"""Invites by address across servers: an identity server tells whom an address belongs to, and the invite that waits
in a room becomes one for a user.

The invited user's server hears of it first (onbind) and asks the server of whoever invited (exchange), which alone can
make the invite. The rules of the room check the identity server's proof.
Source: server-server API, "Third-party invites".
"""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from synapse_like.federation.client import FederationClient, path_of
from synapse_like.federation.inbound.intake import is_inside, is_let_in
from synapse_like.federation.joining.logic import RemoteMembership
from synapse_like.matrix.errors import Forbidden, InvalidParam, MatrixError, NotFound
from synapse_like.matrix.ids import is_valid_room_id, is_valid_user_id
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.http import Auth, Balance, Request, Timeout, endpoint
from synapse_like.toolkit.ratelimit import RateLimiter

logger = logging.getLogger(__name__)

_V1 = "/_matrix/federation/v1"
_THIRD_PARTY_INVITE = "m.room.third_party_invite"
_MOST_INVITES = 20


class ExchangeBody(msgspec.Struct):
    """PUT exchange_third_party_invite: a membership event without its place in the room."""

    type: str
    room_id: str
    sender: str
    state_key: str
    content: dict[str, Any]


class OnBindBody(msgspec.Struct):
    """PUT 3pid/onbind: whom an address belongs to, and the invites that wait for it."""

    medium: str
    address: str
    mxid: str
    invites: list[dict[str, Any]] = []


class ThirdPartyInvites:
    """Makes invites out of those by address."""

    def __init__(self, rooms: Rooms, remote: RemoteMembership, client: FederationClient) -> None:
        self._rooms = rooms
        self._remote = remote
        self._client = client

    async def exchange(self, origin: str, room_id: str, body: ExchangeBody) -> None:
        """Invite a user whom one of ours has invited by an address. Raises Forbidden, InvalidParam, NotFound."""
        room = await self._rooms.live.get(room_id)
        if not is_inside(room, self._rooms.identity.server_name):
            raise NotFound("This server is not in that room")
        if not is_let_in(room, origin):
            raise Forbidden("The room's ACL does not let your server in")
        draft = _invite(room, body)
        if server_of(draft.sender) != self._rooms.identity.server_name:
            raise Forbidden("The invite was made by a user of another server")
        target = body.state_key
        if server_of(target) == self._rooms.identity.server_name:
            await self._rooms.creation.send(room_id, draft)
        else:
            await self._remote.invite(room_id, draft.sender, target, dict(draft.content), [])

    async def bound(self, body: OnBindBody) -> None:
        """Ask the servers of those who invited an address for invites of the user whom it belongs to."""
        if not is_valid_user_id(body.mxid) or server_of(body.mxid) != self._rooms.identity.server_name:
            raise InvalidParam("That is no user of this server")
        for invite in body.invites[:_MOST_INVITES]:
            room_id, sender, signed = invite.get("room_id"), invite.get("sender"), invite.get("signed")
            if not isinstance(room_id, str) or not isinstance(sender, str) or not isinstance(signed, dict):
                continue
            if not is_valid_room_id(room_id) or not is_valid_user_id(sender) or signed.get("mxid") != body.mxid:
                continue
            content = {
                "membership": "invite",
                "third_party_invite": {"display_name": str(invite.get("address", "")), "signed": signed},
            }
            event = {"type": MEMBER, "room_id": room_id, "sender": sender, "state_key": body.mxid, "content": content}
            try:
                path = path_of(f"{_V1}/exchange_third_party_invite", room_id)
                await self._client.put(server_of(sender), path, event)
            except MatrixError as error:
                logger.info("%s makes no invite for %s: %s", server_of(sender), body.mxid, error)


def _invite(room: LiveRoom, body: ExchangeBody) -> Draft:
    """The invite for the user of a proof. Raises InvalidParam, Forbidden."""
    proof = body.content.get("third_party_invite")
    signed: Mapping[str, Any] = proof.get("signed", {}) if isinstance(proof, dict) else {}
    if body.type != MEMBER or body.room_id != room.identity.room_id or body.content.get("membership") != "invite":
        raise InvalidParam("That is not an invite to this room")
    if not isinstance(signed, dict) or not isinstance(signed.get("token"), str) or signed.get("mxid") != body.state_key:
        raise InvalidParam("The proof is not for this user")
    if not is_valid_user_id(body.state_key) or "\0" in body.state_key:
        raise InvalidParam("That is not a user ID")
    waiting = room.state_event(_THIRD_PARTY_INVITE, signed["token"])
    if waiting is None or waiting.sender != body.sender:
        raise Forbidden("The room knows no such invite")
    content = {
        "membership": "invite",
        "third_party_invite": {
            "display_name": str(waiting.content.get("display_name", "")),
            "signed": {key: signed.get(key) for key in ("mxid", "token", "signatures")},
        },
    }
    return Draft(type=MEMBER, sender=waiting.sender, state_key=body.state_key, content=content)


class ThirdPartyApi:
    """The endpoints."""

    def __init__(self, invites: ThirdPartyInvites, limiter: RateLimiter, limit: RateLimit) -> None:
        self._invites = invites
        self._limiter = limiter
        self._limit = limit

    @endpoint(
        "PUT",
        f"{_V1}/exchange_third_party_invite/{{room_id}}",
        auth=Auth.FEDERATION,
        body=ExchangeBody,
        writes=("events",),
        balance=Balance.ROOM,
        timeout=Timeout.SLOW,
        pool="federation",
        resource="federation",
    )
    async def exchange(self, request: Request[ExchangeBody]) -> dict[str, Any]:
        """Make a real invite of one by address."""
        await self._invites.exchange(request.origin, request.params["room_id"], request.body)
        return {}

    @endpoint("PUT", f"{_V1}/3pid/onbind", auth=Auth.NONE, body=OnBindBody, pool="federation", resource="federation")
    @endpoint("POST", f"{_V1}/3pid/onbind", auth=Auth.NONE, body=OnBindBody, pool="federation", resource="federation")
    async def bound(self, request: Request[OnBindBody]) -> dict[str, Any]:
        """Hear from an identity server whom an address belongs to."""
        self._limiter.check("rc_third_party_invite", request.client_ip, self._limit)
        await self._invites.bound(request.body)
        return {}
