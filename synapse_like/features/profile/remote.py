"""Profiles of users of other servers, and what other servers may see of ours.

Source: server-server API, "Querying for information".
"""

from typing import Any, Final

from synapse_like.features.profile.config import ProfileConfig
from synapse_like.features.profile.fields import AVATAR, DISPLAY_NAME, MAX_PROFILE_BYTES, check_key
from synapse_like.features.profile.logic import Profiles
from synapse_like.federation.client import FederationClient
from synapse_like.federation.errors import BadReply, RemoteError
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import Forbidden, InvalidParam, MatrixError, MissingParam, NotFound
from synapse_like.matrix.ids import parse_user_id
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import federation
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.shared import SharedWork

_PATH: Final = "/_matrix/federation/v1/query/profile"
_TIMEOUT_S: Final = 15.0


class RemoteProfiles:
    """Asks other servers; the same question at the same time is asked once."""

    def __init__(self, client: FederationClient) -> None:
        self._client = client
        self._asking: SharedWork[str, dict[str, Any]] = SharedWork()

    async def get(self, user_id: str) -> dict[str, Any]:
        """The profile of a user of another server. Raises what that server raises, NotFound if there is none."""
        return await self._asking.run(user_id, lambda: self._ask(user_id))

    async def _ask(self, user_id: str) -> dict[str, Any]:
        _, server = parse_user_id(user_id)
        try:
            answer = await self._client.get(server, _PATH, {"user_id": user_id}, timeout_s=_TIMEOUT_S)
        except RemoteError as error:
            raise error.passed_on() from error
        return _shown(server, answer)


class ProfileFederationApi:
    """Shows profiles of users here to other servers."""

    def __init__(self, profiles: Profiles, rooms: Rooms, config: ProfileConfig) -> None:
        self._profiles = profiles
        self._rooms = rooms
        self._config = config

    @endpoint(
        "GET",
        federation("/query/profile"),
        auth=Auth.FEDERATION,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def profile(self, request: Request[Any]) -> dict[str, Any]:
        """A profile, or one field of it."""
        if not self._config.allow_profile_lookup_over_federation:
            raise Forbidden("This server does not show profiles to other servers")
        user_id, key = request.query.get("user_id"), request.query.get("field")
        if user_id is None:
            raise MissingParam("user_id is missing")
        if parse_user_id(user_id)[1] != self._rooms.identity.server_name:
            raise InvalidParam("This is not a user of this server")
        await self._check_shares_room(request.origin, user_id)
        profile = await self._profiles.get(user_id)
        if profile is None:
            raise NotFound("This user has no profile")
        shown = profile.json()
        if key is None:
            return shown
        check_key(key)
        return {key: shown[key]} if key in shown else {}

    async def _check_shares_room(self, origin: str, user_id: str) -> None:
        if not self._config.limit_profile_requests_to_users_who_share_rooms:
            return
        for room_id in await self._rooms.memberships.joined_rooms(user_id):
            if await self._rooms.hosts.has(room_id, origin):
                return
        raise Forbidden("Profiles are shown only to those who share a room with the user")


def _shown(server: str, answer: Any) -> dict[str, Any]:
    """What of an answer is shown: fields with good names, and texts where texts belong."""
    if not isinstance(answer, dict):
        raise BadReply(f"{server} answered with something that is no profile")
    shown = {}
    for key, value in answer.items():
        if key in (DISPLAY_NAME, AVATAR) and not isinstance(value, str):
            continue
        try:
            check_key(key)
        except MatrixError:
            continue
        shown[key] = value
    if len(canonical_json(shown)) > MAX_PROFILE_BYTES:
        raise BadReply(f"{server} answered with a profile that is too large")
    return shown
