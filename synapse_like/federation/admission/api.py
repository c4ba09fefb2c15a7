"""Joining, knocking, leaving and inviting across servers. Source: server-server API, "Joining Rooms", "Knocking upon
a room", "Leaving Rooms", "Inviting to a room".
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from msgspec import Raw

from synapse_like.federation.admission.invites import Invitations
from synapse_like.federation.admission.logic import Admission
from synapse_like.federation.admission.reply import JoinReplies
from synapse_like.federation.inbound.bodies import json_object
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.http import Auth, Balance, Reply, Request, Timeout, endpoint
from synapse_like.toolkit.ratelimit import RateLimiter

_V1 = "/_matrix/federation/v1"
_V2 = "/_matrix/federation/v2"
_DEFAULT_VERSION = "1"


class _Options(TypedDict):
    auth: Auth
    pool: str
    resource: str
    writes: tuple[str, ...]
    balance: Balance
    timeout: Timeout


_OF_ROOM: _Options = {
    "auth": Auth.FEDERATION,
    "pool": "federation",
    "resource": "federation",
    "writes": ("events",),
    "balance": Balance.ROOM,
    "timeout": Timeout.SLOW,
}


class AdmissionApi:
    """The endpoints for joins, knocks and departures."""

    def __init__(self, admission: Admission, replies: JoinReplies, limiter: RateLimiter, limits: RateLimits) -> None:
        self._admission = admission
        self._replies = replies
        self._limiter = limiter
        self._limits = limits

    @endpoint("GET", f"{_V1}/make_join/{{room_id}}/{{user_id}}", **_OF_ROOM)
    async def make_join(self, request: Request[Any]) -> dict[str, Any]:
        """The template of a join."""
        self._limiter.check("rc_joins_per_room", request.params["room_id"], self._limits.rc_joins_per_room)
        return await self._template(request, "join", request.query.getall("ver") or [_DEFAULT_VERSION])

    @endpoint("GET", f"{_V1}/make_knock/{{room_id}}/{{user_id}}", **_OF_ROOM)
    async def make_knock(self, request: Request[Any]) -> dict[str, Any]:
        """The template of a knock."""
        return await self._template(request, "knock", request.query.getall("ver") or [_DEFAULT_VERSION])

    @endpoint("GET", f"{_V1}/make_leave/{{room_id}}/{{user_id}}", **_OF_ROOM)
    async def make_leave(self, request: Request[Any]) -> dict[str, Any]:
        """The template of a departure."""
        return await self._template(request, "leave", None)

    async def _template(self, request: Request[Any], membership: str, versions: Sequence[str] | None) -> dict[str, Any]:
        params = request.params
        version, pdu = await self._admission.template(
            request.origin, params["room_id"], params["user_id"], membership, versions
        )
        return {"room_version": version.identifier, "event": {**pdu, "origin": request.origin}}

    @endpoint("PUT", f"{_V1}/send_join/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def send_join_v1(self, request: Request[Any]) -> Reply:
        """Take a join, with the old shape of the answer."""
        return Reply(200, b"[200,%s]" % await self._join(request, omits_members=False))

    @endpoint("PUT", f"{_V2}/send_join/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def send_join(self, request: Request[Any]) -> Reply:
        """Take a join; the answer is the room's state."""
        omits_members = request.query.boolean("omit_members", default=False)
        return Reply(200, await self._join(request, omits_members=omits_members))

    async def _join(self, request: Request[Any], *, omits_members: bool) -> bytes:
        admitted = await self._admission.take(*_sent(request), "join")
        return await self._replies.of(admitted, omits_members=omits_members)

    @endpoint("PUT", f"{_V1}/send_leave/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def send_leave_v1(self, request: Request[Any]) -> Reply:
        """Take a departure, with the old shape of the answer."""
        await self._admission.take(*_sent(request), "leave")
        return Reply(200, b"[200,{}]")

    @endpoint("PUT", f"{_V2}/send_leave/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def send_leave(self, request: Request[Any]) -> dict[str, Any]:
        """Take a departure."""
        await self._admission.take(*_sent(request), "leave")
        return {}

    @endpoint("PUT", f"{_V1}/send_knock/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def send_knock(self, request: Request[Any]) -> dict[str, Any]:
        """Take a knock; the answer is what is shown of the room."""
        admitted = await self._admission.take(*_sent(request), "knock")
        return {"knock_room_state": self._admission.shown(admitted.room)}


class InvitesApi:
    """The endpoints for invites."""

    def __init__(self, invitations: Invitations, rooms: Rooms) -> None:
        self._invitations = invitations
        self._rooms = rooms

    @endpoint("PUT", f"{_V1}/invite/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def invite_v1(self, request: Request[Any]) -> Reply:
        """Take an invite to a room of version 1 or 2, with the old shape of question and answer."""
        pdu = json_object(request.raw_body)
        unsigned = pdu.get("unsigned")
        shown = unsigned.get("invite_room_state") if isinstance(unsigned, dict) else None
        known = await self._rooms.out_of_band.version_of(request.params["room_id"])
        version = known.identifier if known is not None else _DEFAULT_VERSION
        signed = await self._take(request, version, pdu, shown)
        return Reply(200, b'[200,{"event":%s}]' % signed)

    @endpoint("PUT", f"{_V2}/invite/{{room_id}}/{{event_id}}", **_OF_ROOM)
    async def invite(self, request: Request[Any]) -> dict[str, Any]:
        """Take an invite: the answer is the event with our signature."""
        body = json_object(request.raw_body)
        version = body.get("room_version")
        if not isinstance(version, str):
            raise InvalidParam("room_version is missing")
        return {"event": Raw(await self._take(request, version, body.get("event"), body.get("invite_room_state")))}

    async def _take(self, request: Request[Any], version: str, pdu: Any, shown: Any) -> bytes:
        params, room_state = request.params, shown if isinstance(shown, list) else []
        event = await self._invitations.take(
            request.origin, params["room_id"], params["event_id"], version, pdu, room_state
        )
        return event.encoded


def _sent(request: Request[Any]) -> tuple[str, str, str, dict[str, Any]]:
    """What a PUT of an event says: origin, room, event id, PDU."""
    params = request.params
    return request.origin, params["room_id"], params["event_id"], json_object(request.raw_body)
