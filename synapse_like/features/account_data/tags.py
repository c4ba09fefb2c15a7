"""Tags of rooms: the room account data m.tag, changed tag by tag. Source: client-server API, "Room tagging"."""

from collections.abc import Mapping
from typing import Any

from synapse_like.features.account_data.logic import Json, UserData
from synapse_like.matrix.errors import BadJson, InvalidParam

TAG = "m.tag"
MAX_TAG_BYTES = 255


class Tags:
    """The tags that users give to their rooms."""

    def __init__(self, data: UserData) -> None:
        self._data = data

    async def of(self, user_id: str, room_id: str) -> Json:
        """The tags of a room with what is said about each (its `order`)."""
        return _tags(await self._data.get(user_id, room_id, TAG) or {})

    async def put(self, user_id: str, room_id: str, tag: str, info: Mapping[str, Any]) -> None:
        """Give a room a tag, or change it. Raises InvalidParam for a name that is too long, BadJson for a bad order."""
        if len(tag.encode(errors="replace")) > MAX_TAG_BYTES:
            raise InvalidParam("The tag is too long")
        order = info.get("order")
        if order is not None and (isinstance(order, bool) or not isinstance(order, int | float)):
            raise BadJson("order must be a number")
        await self._data.change(user_id, room_id, TAG, lambda old: {**old, "tags": {**_tags(old), tag: dict(info)}})

    async def remove(self, user_id: str, room_id: str, tag: str) -> None:
        """Take a tag away; nothing happens if the room has not got it."""

        def without(old: Json) -> Json | None:
            tags = _tags(old)
            return {**old, "tags": {t: info for t, info in tags.items() if t != tag}} if tag in tags else None

        await self._data.change(user_id, room_id, TAG, without)


def _tags(content: Json) -> Json:
    tags = content.get("tags")
    return tags if isinstance(tags, dict) else {}
