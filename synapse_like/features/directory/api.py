"""Endpoints of room aliases and of the published room directory."""

from typing import Any, Literal

import msgspec

from synapse_like.features.directory.config import DirectoryConfig
from synapse_like.features.directory.logic import Directory
from synapse_like.features.directory.public_rooms import MOST_ROOMS, Page, PublicRooms
from synapse_like.features.directory.remote import RemotePublicRooms
from synapse_like.matrix.errors import MissingToken
from synapse_like.toolkit.http import Auth, Balance, Request, client, endpoint


class AliasBody(msgspec.Struct):
    """PUT /directory/room/{alias}."""

    room_id: str


class VisibilityBody(msgspec.Struct):
    """PUT /directory/list/room/{roomId}."""

    visibility: Literal["public", "private"] = "public"


class RoomFilter(msgspec.Struct):
    """The filter of POST /publicRooms."""

    generic_search_term: str | None = None
    room_types: list[str | None] | None = None


class PublicRoomsBody(msgspec.Struct):
    """POST /publicRooms."""

    limit: int | None = None
    since: str | None = None
    filter: RoomFilter | None = None
    server: str | None = None
    include_all_networks: bool | None = None
    third_party_instance_id: str | None = None


class AliasApi:
    """Aliases."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @endpoint("GET", client("/directory/room/{room_alias}"), auth=Auth.NONE)
    async def get_alias(self, request: Request) -> dict[str, Any]:
        """The room of an alias, and servers that know it."""
        room_id, servers = await self._directory.find(request.params["room_alias"])
        return {"room_id": room_id, "servers": servers}

    @endpoint("PUT", client("/directory/room/{room_alias}"), body=AliasBody)
    async def put_alias(self, request: Request[AliasBody]) -> dict[str, Any]:
        """Make an alias."""
        await self._directory.create(request.requester, request.params["room_alias"], request.body.room_id)
        return {}

    @endpoint("DELETE", client("/directory/room/{room_alias}"), writes=("events",))
    async def delete_alias(self, request: Request) -> dict[str, Any]:
        """Remove an alias."""
        await self._directory.delete(request.requester, request.params["room_alias"])
        return {}

    @endpoint("GET", client("/rooms/{room_id}/aliases", unstable="org.matrix.msc2432"), balance=Balance.ROOM)
    async def get_aliases(self, request: Request) -> dict[str, Any]:
        """The aliases of a room."""
        return {"aliases": await self._directory.aliases_for(request.requester, request.params["room_id"])}


class PublicRoomsApi:
    """The published room directory."""

    def __init__(self, public_rooms: PublicRooms, remote: RemotePublicRooms, config: DirectoryConfig) -> None:
        self._public_rooms = public_rooms
        self._remote = remote
        self._config = config

    @endpoint("GET", client("/directory/list/room/{room_id}"), auth=Auth.NONE)
    async def get_visibility(self, request: Request) -> dict[str, Any]:
        """Whether a room is in the directory."""
        is_public = await self._public_rooms.is_published(request.params["room_id"])
        return {"visibility": "public" if is_public else "private"}

    @endpoint("PUT", client("/directory/list/room/{room_id}"), body=VisibilityBody, balance=Balance.ROOM)
    async def put_visibility(self, request: Request[VisibilityBody]) -> dict[str, Any]:
        """Put a room into the directory or take it out."""
        is_public = request.body.visibility == "public"
        await self._public_rooms.set_published(request.requester, request.params["room_id"], is_public)
        return {}

    @endpoint("GET", client("/publicRooms"), auth=Auth.OPTIONAL)
    async def get_public_rooms(self, request: Request) -> dict[str, Any]:
        """A page of the directory."""
        limit = request.query.integer("limit", 100, minimum=0)
        body = PublicRoomsBody(limit=limit, since=request.query.get("since"))
        return await self._page(request, body, request.query.get("server"))

    @endpoint("POST", client("/publicRooms"), auth=Auth.OPTIONAL, body=PublicRoomsBody, is_idempotent=True)
    async def search_public_rooms(self, request: Request[PublicRoomsBody]) -> dict[str, Any]:
        """A page of those rooms of the directory that a filter lets through."""
        body = request.body
        return await self._page(request, body, request.query.get("server") or body.server)

    async def _page(self, request: Request[Any], body: PublicRoomsBody, server: str | None) -> dict[str, Any]:
        """A page of this directory, or of another server's for users of this one."""
        is_remote = bool(server) and not self._public_rooms.is_of(server or "")
        if request.optional_requester is None and (is_remote or not self._config.allow_public_rooms_without_auth):
            raise MissingToken()
        if server and is_remote:
            return await self._remote.page(server, _asked_elsewhere(body))
        return await self._public_rooms.page(asked_page(body))


def asked_page(body: PublicRoomsBody) -> Page:
    """What a body asks for."""
    chosen = body.filter or RoomFilter()
    types = None if chosen.room_types is None else [(name or "").replace("\0", "") for name in chosen.room_types]
    return Page(_limit(body.limit), body.since, (chosen.generic_search_term or "").strip(), types)


def _asked_elsewhere(body: PublicRoomsBody) -> dict[str, Any]:
    """The body for another server: what is not given is left out."""
    asked: dict[str, Any] = {"limit": _limit(body.limit)}
    if body.since:
        asked["since"] = body.since
    if body.filter is not None:
        chosen = {"generic_search_term": body.filter.generic_search_term, "room_types": body.filter.room_types}
        asked["filter"] = {name: value for name, value in chosen.items() if value is not None}
    return asked


def _limit(limit: int | None) -> int:
    return min(limit, MOST_ROOMS) if limit is not None and limit > 0 else 100
