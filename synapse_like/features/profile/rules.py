"""Who may see a profile, and who may change what in it."""

from typing import Any

from synapse_like.features.accounts import Accounts
from synapse_like.features.profile.config import ProfileConfig
from synapse_like.features.profile.fields import AVATAR, DISPLAY_NAME
from synapse_like.features.profile.stream import Profile
from synapse_like.matrix.errors import Forbidden, GuestAccessForbidden, MissingToken, NotFound, UserSuspended
from synapse_like.rooms.memberships import Memberships
from synapse_like.toolkit.http.requester import Requester


class ProfileRules:
    """The rules, from the configuration."""

    def __init__(self, config: ProfileConfig, accounts: Accounts, memberships: Memberships) -> None:
        self._config = config
        self._accounts = accounts
        self._memberships = memberships

    async def check_may_see(self, requester: Requester | None, user_id: str) -> None:
        """Raise MissingToken or Forbidden if the profile is not for this reader."""
        needs_room = self._config.limit_profile_requests_to_users_who_share_rooms
        if not needs_room and not self._config.require_auth_for_profile_requests:
            return
        if requester is None:
            raise MissingToken("Profiles are shown to users who are logged in only")
        if not needs_room or requester.user_id == user_id or requester.is_admin:
            return
        if not await self._memberships.share_a_room(requester.user_id, user_id):
            raise Forbidden("Profiles are shown only to users who share a room with the user")

    async def check_may_change(self, requester: Requester, user_id: str, key: str) -> None:
        """Raise Forbidden (or a kind of it) if this is not the user's own profile; administrators may change all.

        Raises NotFound if an administrator names a user who does not exist.
        """
        if requester.user_id != user_id:
            if not requester.is_admin:
                raise Forbidden("This is the profile of another user")
            if not await self._accounts.exists(user_id):
                raise NotFound("There is no such user")
        if requester.is_guest and key != DISPLAY_NAME:
            raise GuestAccessForbidden()
        if requester.is_suspended:
            raise UserSuspended()

    def check_is_open(self, requester: Requester, profile: Profile | None, key: str) -> None:
        """Raise Forbidden if the server does not let users change this field, other than setting it first."""
        current = (profile or Profile()).json().get(key)
        if key in self.closed_fields() and current is not None and not requester.is_admin:
            raise Forbidden(f"Changing {key} is disabled on this server")

    def closed_fields(self) -> list[str]:
        """The fields that users may not change."""
        is_open = {
            DISPLAY_NAME: self._config.enable_set_displayname,
            AVATAR: self._config.enable_set_avatar_url,
        }
        return [key for key, may_change in is_open.items() if not may_change]

    def capabilities(self, _: Requester) -> dict[str, Any]:
        """What a user may change, as GET /capabilities tells it."""
        closed = self.closed_fields()
        fields: dict[str, Any] = {"enabled": True, **({"disallowed": closed} if closed else {})}
        return {
            "m.set_displayname": {"enabled": DISPLAY_NAME not in closed},
            "m.set_avatar_url": {"enabled": AVATAR not in closed},
            "m.profile_fields": fields,
            "uk.tcpip.msc4133.profile_fields": fields,
        }
