"""The endpoints of account data and tags. Source: client-server API, "Client config", "Room tagging"; MSC3391."""

from typing import Any

from synapse_like.features.account_data.logic import GLOBAL, UserData, check_place, check_writable, found
from synapse_like.features.account_data.tags import Tags
from synapse_like.toolkit.http.endpoint import Balance, endpoint
from synapse_like.toolkit.http.ownership import own_user_id
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

_GLOBAL_PATH = "/user/{user_id}/account_data/{type}"
_ROOM_PATH = "/user/{user_id}/rooms/{room_id}/account_data/{type}"
_TAGS_PATH = "/user/{user_id}/rooms/{room_id}/tags"
_UNSTABLE = "/_matrix/client/unstable/org.matrix.msc3391"
_WRITES = ("account_data",)


def _place(request: Request[Any]) -> tuple[str, str, str]:
    """(user id, room id or `GLOBAL`, type) of a path. Raises Forbidden, InvalidParam."""
    user_id, room_id = own_user_id(request), request.params.get("room_id", GLOBAL)
    kind = request.params.get("type", "")
    check_place(room_id, kind)
    return user_id, room_id, kind


class AccountDataApi:
    """Reads and writes account data."""

    def __init__(self, data: UserData) -> None:
        self._data = data

    @endpoint("GET", client(_GLOBAL_PATH), client(_ROOM_PATH), balance=Balance.USER)
    async def get(self, request: Request[Any]) -> dict[str, Any]:
        """The data of one type."""
        return found(await self._data.get(*_place(request)))

    @endpoint(
        "PUT",
        client(_GLOBAL_PATH),
        client(_ROOM_PATH),
        body=dict[str, Any],
        balance=Balance.USER,
        writes=_WRITES,
    )
    async def put(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Store data of one type."""
        user_id, room_id, kind = _place(request)
        check_writable(kind)
        await self._data.put(user_id, room_id, kind, request.body)
        return {}

    @endpoint("DELETE", _UNSTABLE + _GLOBAL_PATH, _UNSTABLE + _ROOM_PATH, balance=Balance.USER, writes=_WRITES)
    async def delete(self, request: Request[Any]) -> dict[str, Any]:
        """Delete the data of one type."""
        user_id, room_id, kind = _place(request)
        check_writable(kind)
        await self._data.delete(user_id, room_id, kind)
        return {}


class TagsApi:
    """Reads and writes tags."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    @endpoint("GET", client(_TAGS_PATH), balance=Balance.USER)
    async def get(self, request: Request[Any]) -> dict[str, Any]:
        """The tags of a room."""
        user_id, room_id, _ = _place(request)
        return {"tags": await self._tags.of(user_id, room_id)}

    @endpoint("PUT", client(_TAGS_PATH + "/{tag}"), body=dict[str, Any], balance=Balance.USER, writes=_WRITES)
    async def put(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Give a room a tag."""
        user_id, room_id, _ = _place(request)
        await self._tags.put(user_id, room_id, request.params["tag"], request.body)
        return {}

    @endpoint("DELETE", client(_TAGS_PATH + "/{tag}"), balance=Balance.USER, writes=_WRITES)
    async def remove(self, request: Request[Any]) -> dict[str, Any]:
        """Take a tag away."""
        user_id, room_id, _ = _place(request)
        await self._tags.remove(user_id, room_id, request.params["tag"])
        return {}
