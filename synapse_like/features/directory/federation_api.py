"""What other servers ask of the directory. Source: server-server API, "Public Room Directory", "Querying for
information".
"""

from typing import Any

from synapse_like.features.directory.api import PublicRoomsBody, asked_page
from synapse_like.features.directory.config import DirectoryConfig
from synapse_like.features.directory.logic import Directory
from synapse_like.features.directory.public_rooms import PublicRooms
from synapse_like.matrix.errors import Forbidden, MissingParam, NotFound
from synapse_like.matrix.ids import parse_room_alias
from synapse_like.toolkit.http import Auth, Balance, Request, endpoint
from synapse_like.toolkit.http.paths import federation

_PUBLIC_ROOMS = federation("/publicRooms")


class DirectoryFederationApi:
    """Aliases and published rooms, for other servers."""

    def __init__(self, directory: Directory, public_rooms: PublicRooms, config: DirectoryConfig) -> None:
        self._directory = directory
        self._public_rooms = public_rooms
        self._config = config

    @endpoint(
        "GET",
        federation("/query/directory"),
        auth=Auth.FEDERATION,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def find(self, request: Request[Any]) -> dict[str, Any]:
        """The room of an alias of this server, and servers that are in it."""
        alias = request.query.get("room_alias")
        if alias is None:
            raise MissingParam("room_alias is missing")
        _, server = parse_room_alias(alias)
        if not self._public_rooms.is_of(server):
            raise NotFound("This is not an alias of this server")
        room_id, servers = await self._directory.find(alias)
        return {"room_id": room_id, "servers": servers}

    @endpoint(
        "GET",
        _PUBLIC_ROOMS,
        auth=Auth.FEDERATION,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def public_rooms(self, request: Request[Any]) -> dict[str, Any]:
        """A page of the directory."""
        limit = request.query.integer("limit", 100, minimum=0)
        return await self._page(PublicRoomsBody(limit=limit, since=request.query.get("since")))

    @endpoint(
        "POST",
        _PUBLIC_ROOMS,
        auth=Auth.FEDERATION,
        body=PublicRoomsBody,
        balance=Balance.ORIGIN,
        is_idempotent=True,
        resource="federation",
        pool="federation",
    )
    async def search_public_rooms(self, request: Request[PublicRoomsBody]) -> dict[str, Any]:
        """A page of those rooms of the directory that a filter lets through."""
        return await self._page(request.body)

    async def _page(self, body: PublicRoomsBody) -> dict[str, Any]:
        if not self._config.allow_public_rooms_over_federation:
            raise Forbidden("This server does not show its rooms to other servers")
        return await self._public_rooms.page(asked_page(body))
