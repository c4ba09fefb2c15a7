"""The administrators' endpoints for registration tokens, as Synapse's tools know them."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from synapse_like.features.registration_tokens.logic import MAX_LENGTH, RegistrationTokens
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import admin
from synapse_like.toolkit.http.request import Request

_MAX_INTEGER = 2**53
_DEFAULT_LENGTH = 16


class ChangeBody(msgspec.Struct):
    """The body of PUT /registration_tokens/{token}: absent keys stay, null takes the limit away."""

    uses_allowed: int | UnsetType | None = UNSET
    expiry_time: int | UnsetType | None = UNSET


class NewBody(msgspec.Struct):
    """The body of POST /registration_tokens/new."""

    token: str | None = None
    length: int = _DEFAULT_LENGTH
    uses_allowed: int | None = None
    expiry_time: int | None = None


class RegistrationTokensApi:
    """The endpoints."""

    def __init__(self, tokens: RegistrationTokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    @endpoint("GET", admin("/registration_tokens"), auth=Auth.ADMIN)
    async def show_all(self, request: Request[Any]) -> dict[str, Any]:
        """All tokens, or those that are good (or not)."""
        is_valid = request.query.boolean("valid") if "valid" in request.query else None
        rows = await self._tokens.all(is_valid=is_valid)
        return {"registration_tokens": [row.as_json() for row in rows]}

    @endpoint("POST", admin("/registration_tokens/new"), auth=Auth.ADMIN, body=NewBody)
    async def add(self, request: Request[NewBody]) -> dict[str, Any]:
        """Make a token."""
        body = request.body
        if not 1 <= body.length <= MAX_LENGTH:
            raise InvalidParam(f"length must be between 1 and {MAX_LENGTH}")
        self._check(body.uses_allowed, body.expiry_time)
        token = self._tokens.random(body.length) if body.token is None else body.token
        return (await self._tokens.add(token, body.uses_allowed, body.expiry_time)).as_json()

    @endpoint("GET", admin("/registration_tokens/{token}"), auth=Auth.ADMIN)
    async def show(self, request: Request[Any]) -> dict[str, Any]:
        """One token."""
        return (await self._tokens.get(request.params["token"])).as_json()

    @endpoint("PUT", admin("/registration_tokens/{token}"), auth=Auth.ADMIN, body=ChangeBody)
    async def change(self, request: Request[ChangeBody]) -> dict[str, Any]:
        """Change how often and how long a token is good."""
        known = await self._tokens.get(request.params["token"])
        body = request.body
        uses = known.uses_allowed if body.uses_allowed is UNSET else body.uses_allowed
        expiry_ms = known.expiry_ms if body.expiry_time is UNSET else body.expiry_time
        self._check(uses, None if body.expiry_time is UNSET else expiry_ms)
        return (await self._tokens.change(known.token, uses, expiry_ms)).as_json()

    @endpoint("DELETE", admin("/registration_tokens/{token}"), auth=Auth.ADMIN)
    async def delete(self, request: Request[Any]) -> dict[str, Any]:
        """Delete a token."""
        await self._tokens.delete(request.params["token"])
        return {}

    def _check(self, uses_allowed: int | None, expiry_ms: int | None) -> None:
        """Raise InvalidParam for a number of uses or a time (ms) that makes no sense."""
        if uses_allowed is not None and not 0 <= uses_allowed <= _MAX_INTEGER:
            raise InvalidParam("uses_allowed must be a non-negative integer or null")
        if expiry_ms is not None and not self._clock.now_ms() <= expiry_ms <= _MAX_INTEGER:
            raise InvalidParam("expiry_time must not be in the past")
