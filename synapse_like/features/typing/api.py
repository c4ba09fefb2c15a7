"""The endpoint of typing. Source: client-server API, "Typing Notifications"."""

from typing import Any

import msgspec

from synapse_like.features.typing.logic import MAX_TIMEOUT_MS, Typing
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.ownership import own_user_id
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

DEFAULT_TIMEOUT_MS = 30_000


class TypingBody(msgspec.Struct):
    """Whether the user is typing, and for how long from now (milliseconds)."""

    typing: bool
    timeout: int = DEFAULT_TIMEOUT_MS


class TypingApi:
    """Starts and stops typing."""

    def __init__(self, typing: Typing) -> None:
        self._typing = typing

    @endpoint(
        "PUT",
        client("/rooms/{room_id}/typing/{user_id}"),
        auth=Auth.GUEST,
        body=TypingBody,
        balance=Balance.ROOM,
        writes=("typing",),
    )
    async def set_typing(self, request: Request[TypingBody]) -> dict[str, Any]:
        """The user is typing, or has stopped."""
        user_id, room_id = own_user_id(request), request.params["room_id"]
        if request.body.typing:
            await self._typing.start(user_id, room_id, min(request.body.timeout, MAX_TIMEOUT_MS))
        else:
            await self._typing.stop(user_id, room_id)
        return {}
