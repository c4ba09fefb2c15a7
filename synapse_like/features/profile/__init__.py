"""Profiles: name, avatar, time zone and what else users say about themselves; and telling their rooms when it changes.

Gives new accounts a first name, takes closed ones' profiles away, and tells the feature of memberships how its users
are called.
"""

from synapse_like.features.accounts import Accounts, Applicant
from synapse_like.features.membership import Membership
from synapse_like.features.profile.api import ProfileApi
from synapse_like.features.profile.config import ProfileConfig
from synapse_like.features.profile.logic import Profiles
from synapse_like.features.profile.remote import ProfileFederationApi, RemoteProfiles
from synapse_like.features.profile.rules import ProfileRules
from synapse_like.features.profile.spread import ProfileSpread
from synapse_like.features.profile.stream import PROFILES, Profile, ProfileFact, storage
from synapse_like.federation import Federation
from synapse_like.matrix.ids import parse_user_id
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "PROFILES", "Profile", "ProfileApi", "ProfileFact", "ProfileSpread", "Profiles"]


def build(kit: Kit, rooms: Rooms, federation: Federation, accounts: Accounts, membership: Membership) -> Built:
    """The profiles, their endpoints, and what spreads changes."""
    spread = ProfileSpread(kit.database, rooms.user_log, kit.clock, kit.randomness, membership.announce_profile)
    profiles = Profiles(kit.database, rooms, spread)
    rules = ProfileRules(kit.config[ProfileConfig], accounts, rooms.memberships)
    api = ProfileApi(profiles, rules, kit.server_name)
    if federation.policy.is_enabled:
        api.remote = RemoteProfiles(federation.client).get
    _connect(profiles, accounts, membership)
    return Built(
        fronts=[profiles, spread, api],
        apis=[api, ProfileFederationApi(profiles, rooms, kit.config[ProfileConfig])],
        storages=[storage()],
        tenants=[(USER, spread)],
        caches={"profiles": profiles.cache},
        capabilities=[rules.capabilities],
    )


def _connect(profiles: Profiles, accounts: Accounts, membership: Membership) -> None:
    """Hear of new and closed accounts, and say what membership events say."""

    async def create(applicant: Applicant) -> None:
        name = None if applicant.is_guest else parse_user_id(applicant.user_id)[0]
        await profiles.create(applicant.user_id, applicant.display_name or name)

    async def erase(user_id: str, is_erased: bool) -> None:
        await profiles.erase(user_id)

    membership.profile_of = profiles.member_profile
    accounts.on_registered.append(create)
    accounts.on_deactivated.append(erase)


FEATURE = Feature(
    name="profile",
    build=build,
    package=__name__,
    apis=(ProfileApi, ProfileFederationApi),
    configs=(ProfileConfig,),
    unstable={"uk.tcpip.msc4133": True, "uk.tcpip.msc4133.stable": True},
)
