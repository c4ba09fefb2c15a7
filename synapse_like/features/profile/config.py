"""The keys of profiles."""

from dataclasses import dataclass

from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class ProfileConfig:
    """Profiles: who may see them, and who may change them."""

    require_auth_for_profile_requests: bool = option(False, "Show profiles to users who are logged in only.")
    limit_profile_requests_to_users_who_share_rooms: bool = option(
        False, "Show profiles only to users who share a room with the user."
    )
    allow_profile_lookup_over_federation: bool = option(True, "Show profiles to other servers.")
    enable_set_displayname: bool = option(True, "Users may change their display name once they have one.")
    enable_set_avatar_url: bool = option(True, "Users may change their avatar once they have one.")
