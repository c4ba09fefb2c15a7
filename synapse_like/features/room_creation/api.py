"""The endpoint POST /createRoom, and the room versions that clients are told of."""

from typing import Any

from synapse_like.features.room_creation.logic import RoomCreation
from synapse_like.features.room_creation.order import RoomOrder
from synapse_like.matrix.room_versions import ROOM_VERSIONS
from synapse_like.toolkit.http import Balance, Request, Requester, client, endpoint


class RoomCreationApi:
    """Making rooms."""

    def __init__(self, creation: RoomCreation) -> None:
        self._creation = creation

    @endpoint("POST", client("/createRoom"), body=RoomOrder, balance=Balance.ROOM, writes=("events",))
    async def create_room(self, request: Request[RoomOrder]) -> dict[str, Any]:
        """Make a room."""
        return {"room_id": await self._creation.create(request.requester, request.body)}


class RoomVersionsCapability:
    """Tells clients which room versions there are."""

    def __init__(self, default: str) -> None:
        self._answer = {
            "m.room_versions": {"default": default, "available": dict.fromkeys(ROOM_VERSIONS, "stable")},
        }

    def __call__(self, requester: Requester) -> dict[str, Any]:
        """The part of GET /capabilities."""
        return self._answer
