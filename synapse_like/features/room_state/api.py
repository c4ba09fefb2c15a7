"""GET state, members, joined_members, joined_rooms. Source: client-server API, "Getting events for a room"."""

from typing import Any

from msgspec import Raw

from synapse_like.features.history import TimelineTokens
from synapse_like.features.room_state.logic import MemberQuestion, RoomStates
from synapse_like.rooms.memberships import Memberships
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

_MEMBERSHIPS = ("join", "invite", "knock", "leave", "ban")


class StateApi:
    """The state of a room."""

    def __init__(self, states: RoomStates) -> None:
        self._states = states

    @endpoint("GET", client("/rooms/{room_id}/state"), auth=Auth.GUEST, balance=Balance.ROOM, is_cancellable=True)
    async def state(self, request: Request[Any]) -> Raw:
        """All of it."""
        return Raw(await self._states.state(request.requester, request.params["room_id"]))

    @endpoint(
        "GET",
        client("/rooms/{room_id}/state/{event_type}"),
        client("/rooms/{room_id}/state/{event_type}/{state_key}"),
        auth=Auth.GUEST,
        balance=Balance.ROOM,
    )
    async def state_event(self, request: Request[Any]) -> Raw:
        """One event's content, or the event itself."""
        params = request.params
        key = (params["event_type"], params.get("state_key", ""))
        if request.query.choice("format", ("content", "event"), "content") == "event":
            return Raw(await self._states.event(request.requester, params["room_id"], key))
        return Raw(await self._states.content(request.requester, params["room_id"], key))


class MembersApi:
    """The members of a room, and the rooms of a user."""

    def __init__(self, states: RoomStates, tokens: TimelineTokens, memberships: Memberships) -> None:
        self._states = states
        self._tokens = tokens
        self._memberships = memberships

    @endpoint("GET", client("/rooms/{room_id}/members"), auth=Auth.GUEST, balance=Balance.ROOM, is_cancellable=True)
    async def members(self, request: Request[Any]) -> dict[str, Any]:
        """Membership events."""
        query = request.query
        question = MemberQuestion(
            membership=query.choice("membership", _MEMBERSHIPS) if "membership" in query else None,
            not_membership=query.choice("not_membership", _MEMBERSHIPS) if "not_membership" in query else None,
            at=self._tokens.read("at", query.get("at")),
        )
        events = await self._states.members(request.requester, request.params["room_id"], question)
        return {"chunk": Raw(events)}

    @endpoint("GET", client("/rooms/{room_id}/joined_members"), auth=Auth.GUEST, balance=Balance.ROOM)
    async def joined_members(self, request: Request[Any]) -> dict[str, Any]:
        """Names and avatars of those who are there."""
        return {"joined": await self._states.joined_members(request.requester, request.params["room_id"])}

    @endpoint("GET", client("/joined_rooms"), auth=Auth.GUEST, balance=Balance.USER)
    async def joined_rooms(self, request: Request[Any]) -> dict[str, Any]:
        """The rooms that the user has joined."""
        return {"joined_rooms": await self._memberships.joined_rooms(request.requester.user_id)}
