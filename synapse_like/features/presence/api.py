"""The endpoints of presence. Source: client-server API, "Presence"."""

from typing import Any, Literal

import msgspec

from synapse_like.features.presence.logic import RATE_NAME, Presence
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.http.endpoint import Balance, endpoint
from synapse_like.toolkit.http.ownership import own_user_id
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.ratelimit import RateLimiter

MAX_STATUS_BYTES = 4096
_PATH = client("/presence/{user_id}/status")


class StatusBody(msgspec.Struct):
    """What the user wants to be seen as. Without a message, the old one is taken away."""

    presence: Literal["online", "unavailable", "offline"]
    status_msg: str | None = None


class PresenceApi:
    """Sets and shows presence."""

    def __init__(self, presence: Presence, limiter: RateLimiter, limit: RateLimit) -> None:
        self._presence = presence
        self._limiter = limiter
        self._limit = limit

    @endpoint("PUT", _PATH, body=StatusBody, balance=Balance.USER, writes=("presence",))
    async def set_status(self, request: Request[StatusBody]) -> dict[str, Any]:
        """Set one's own presence."""
        user_id, wanted = own_user_id(request), request.body
        if len((wanted.status_msg or "").encode(errors="replace")) > MAX_STATUS_BYTES:
            raise InvalidParam(f"A status message has at most {MAX_STATUS_BYTES} bytes")
        if self._presence.is_enabled:
            self._limiter.check(RATE_NAME, user_id, self._limit)
            device_id = request.requester.device_id
            await self._presence.choose(user_id, device_id, wanted.presence, wanted.status_msg)
        return {}

    @endpoint("GET", _PATH)
    async def status(self, request: Request[Any]) -> dict[str, Any]:
        """How a user is seen."""
        return await self._presence.content_for(request.requester.user_id, request.params["user_id"])
