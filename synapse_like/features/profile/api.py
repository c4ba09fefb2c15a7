"""The endpoints of profiles. Source: client-server API, "Profiles"; MSC4133 for the unstable path."""

from collections.abc import Awaitable, Callable
from typing import Any

from synapse_like.features.profile.fields import check_key, value_in
from synapse_like.features.profile.logic import Profiles
from synapse_like.features.profile.rules import ProfileRules
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.ids import parse_user_id
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

_FIELD = client("/profile/{user_id}/{key}", unstable="uk.tcpip.msc4133")
_WRITES = ("profiles", "events")
_MAX_BODY_BYTES = 128 * 1024

Lookup = Callable[[str], Awaitable[dict[str, Any]]]


class ProfileApi:
    """Shows and changes profiles. `remote` asks other servers for theirs, unless federation is off."""

    def __init__(self, profiles: Profiles, rules: ProfileRules, server_name: str) -> None:
        self.remote: Lookup | None = None
        self._profiles = profiles
        self._rules = rules
        self._server_name = server_name

    @endpoint("GET", client("/profile/{user_id}"), auth=Auth.OPTIONAL)
    async def get(self, request: Request[Any]) -> dict[str, Any]:
        """A whole profile."""
        return await self._find(request)

    @endpoint("GET", _FIELD, auth=Auth.OPTIONAL)
    async def get_field(self, request: Request[Any]) -> dict[str, Any]:
        """One field."""
        key = request.params["key"]
        check_key(key)
        profile = await self._find(request)
        if key not in profile:
            raise NotFound("The profile has no such field")
        return {key: profile[key]}

    @endpoint(
        "PUT",
        _FIELD,
        auth=Auth.GUEST,
        body=dict[str, Any],
        balance=Balance.USER,
        writes=_WRITES,
        limit_bytes=_MAX_BODY_BYTES,
    )
    async def put_field(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Set one field."""
        user_id, key = await self._place(request)
        await self._profiles.set_field(user_id, key, value_in(request.body, key))
        return {}

    @endpoint("DELETE", _FIELD, auth=Auth.GUEST, balance=Balance.USER, writes=_WRITES)
    async def delete_field(self, request: Request[Any]) -> dict[str, Any]:
        """Remove one field."""
        user_id, key = await self._place(request)
        await self._profiles.remove_field(user_id, key)
        return {}

    async def _find(self, request: Request[Any]) -> dict[str, Any]:
        """The profile that a path names, if the caller may see it. Raises InvalidParam, Forbidden, NotFound."""
        user_id = request.params["user_id"]
        _, server_name = parse_user_id(user_id)
        await self._rules.check_may_see(request.optional_requester, user_id)
        if server_name != self._server_name and self.remote is not None:
            return await self.remote(user_id)
        profile = await self._profiles.get(user_id)
        if profile is None:
            raise NotFound("This user has no profile")
        return profile.json()

    async def _place(self, request: Request[Any]) -> tuple[str, str]:
        """(user id, field) of a path that the caller may change. Raises KeyTooLarge, InvalidParam, Forbidden."""
        user_id, key, requester = request.params["user_id"], request.params["key"], request.requester
        check_key(key)
        await self._rules.check_may_change(requester, user_id, key)
        self._rules.check_is_open(requester, await self._profiles.get(user_id), key)
        return user_id, key
