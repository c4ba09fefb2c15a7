"""GET /mutual_rooms: both users' rooms come from memory; pages are cut after a room id, so that they stay in step."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.rooms.memberships import Memberships
from synapse_like.toolkit.http.endpoint import endpoint
from synapse_like.toolkit.http.paths import client_v1
from synapse_like.toolkit.http.request import Request

PAGE = 100
"""The most rooms of one reply."""


class MutualRoomsApi:
    """The endpoint."""

    def __init__(self, memberships: Memberships) -> None:
        self._memberships = memberships

    @endpoint("GET", client_v1("/mutual_rooms"), "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms")
    async def mutual_rooms(self, request: Request[Any]) -> dict[str, Any]:
        """A page of the rooms that both have joined, and how many there are in all."""
        own, other = request.requester.user_id, request.query.string("user_id")
        if not is_valid_user_id(other):
            raise InvalidParam("user_id is not a user ID")
        if other == own:
            raise InvalidParam("user_id must be somebody else's")
        after = _place(request.query.get("from") or request.query.get("batch_token"))
        mine = set(await self._memberships.joined_rooms(own))
        mutual = sorted(mine.intersection(await self._memberships.joined_rooms(other)))
        rest = [room_id for room_id in mutual if room_id > after]
        page = {"joined": rest[:PAGE], "count": len(mutual)}
        return {**page, "next_batch": _token(rest[PAGE - 1])} if len(rest) > PAGE else page


def _token(room_id: str) -> str:
    return urlsafe_b64encode(room_id.encode()).decode().rstrip("=")


def _place(token: str | None) -> str:
    """The room id in a token; the empty text, which comes before all, for none. Raises InvalidParam."""
    if not token:
        return ""
    try:
        room_id = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).decode()
    except ValueError:
        raise InvalidParam("from is not a token of this endpoint") from None
    if not room_id.startswith("!"):
        raise InvalidParam("from is not a token of this endpoint")
    return room_id
