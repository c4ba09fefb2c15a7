"""The endpoint of spaces for clients. Source: client-server API, "Spaces"."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from synapse_like.features.spaces.walk import Asked, SpaceWalk
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.http.endpoint import Auth, Timeout, endpoint
from synapse_like.toolkit.http.paths import client_v1
from synapse_like.toolkit.http.request import Request

DEFAULT_LIMIT: Final = 50
MOST_ROOMS: Final = 50
_TOKEN: Final = re.compile(r"h([0-9]{1,6})\.([01])\.([0-9]{0,6})\.(.{1,255})", re.DOTALL)


class SpacesApi:
    """Shows users what is in a space."""

    def __init__(self, walk: SpaceWalk) -> None:
        self._walk = walk

    @endpoint(
        "GET",
        client_v1("/rooms/{room_id}/hierarchy", unstable="org.matrix.msc2946"),
        auth=Auth.GUEST,
        timeout=Timeout.SLOW,
    )
    async def hierarchy(self, request: Request[Any]) -> dict[str, Any]:
        """A page of the rooms of a space."""
        query, room_id = request.query, request.params["room_id"]
        is_suggested_only = query.boolean("suggested_only", False)
        max_depth = query.integer("max_depth", 0, minimum=0) if "max_depth" in query else None
        limit = max(1, min(query.integer("limit", DEFAULT_LIMIT, minimum=0), MOST_ROOMS))
        what = f"{int(is_suggested_only)}.{'' if max_depth is None else min(max_depth, 999_999)}.{room_id}"
        start = _start(query.get("from"), what)
        asked = Asked(start, limit, is_suggested_only, max_depth)
        rooms, has_more = await self._walk.page(request.requester.user_id, room_id, asked)
        if not has_more:
            return {"rooms": rooms}
        token = urlsafe_b64encode(f"h{start + limit}.{what}".encode()).decode().rstrip("=")
        return {"rooms": rooms, "next_batch": token}


def _start(token: str | None, what: str) -> int:
    """Where a page begins. Raises InvalidParam for a token of another question."""
    if token is None:
        return 0
    try:
        text = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        text = ""
    found = _TOKEN.fullmatch(text)
    if found is None or text.partition(".")[2] != what:
        raise InvalidParam("This is not a token of this question")
    return int(found[1])
