"""What other servers ask of spaces. Source: server-server API, "Spaces"."""

from typing import Any

from synapse_like.features.spaces.logic import Spaces
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import federation
from synapse_like.toolkit.http.request import Request


class SpacesFederationApi:
    """Shows spaces to other servers."""

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces

    @endpoint(
        "GET",
        federation("/hierarchy/{room_id}"),
        auth=Auth.FEDERATION,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def hierarchy(self, request: Request[Any]) -> dict[str, Any]:
        """A space and its children."""
        is_suggested_only = request.query.boolean("suggested_only", False)
        room_id = request.params["room_id"]
        return await self._spaces.for_server(request.origin, room_id, is_suggested_only=is_suggested_only)
