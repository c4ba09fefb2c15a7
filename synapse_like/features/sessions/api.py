"""Endpoints of one's own session: who am I, refresh, log out. Source: client-server API, "Client Authentication"."""

from typing import Any

import msgspec

from synapse_like.features.sessions.devices import Devices
from synapse_like.features.sessions.logic import Sessions
from synapse_like.features.sessions.stream import DEVICES, TOKENS
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.ratelimit import RateLimiter

_WRITES = (DEVICES.name, TOKENS.name)
_REFRESHES = RateLimit(per_second=20.0, burst_count=200)


class RefreshBody(msgspec.Struct):
    """The body of POST /refresh."""

    refresh_token: str


class SessionsApi:
    """The endpoints."""

    def __init__(self, sessions: Sessions, devices: Devices, limiter: RateLimiter) -> None:
        self._sessions = sessions
        self._devices = devices
        self._limiter = limiter

    @endpoint("GET", client("/account/whoami"), auth=Auth.GUEST, balance=Balance.USER, is_constant=True)
    async def who_am_i(self, request: Request[Any]) -> dict[str, Any]:
        """Whose token this is."""
        requester = request.requester
        found: dict[str, Any] = {"user_id": requester.user_id, "is_guest": requester.is_guest}
        return found if requester.device_id is None else {**found, "device_id": requester.device_id}

    @endpoint("POST", client("/refresh"), auth=Auth.NONE, body=RefreshBody, balance=Balance.USER, writes=_WRITES)
    async def refresh(self, request: Request[RefreshBody]) -> dict[str, Any]:
        """New tokens for a refresh token."""
        self._limiter.check("refresh", request.client_ip, _REFRESHES)
        return (await self._sessions.refresh(request.body.refresh_token)).as_json()

    @endpoint("POST", client("/logout"), auth=Auth.LOCKED_OK, balance=Balance.USER, writes=_WRITES)
    async def log_out(self, request: Request[Any]) -> dict[str, Any]:
        """End this session and its device."""
        if request.requester.device_id is not None:
            await self._devices.delete(request.requester.user_id, [request.requester.device_id])
        return {}

    @endpoint("POST", client("/logout/all"), auth=Auth.LOCKED_OK, balance=Balance.USER, writes=_WRITES)
    async def log_out_everywhere(self, request: Request[Any]) -> dict[str, Any]:
        """End all sessions of the user."""
        await self._devices.delete_all(request.requester.user_id)
        return {}
