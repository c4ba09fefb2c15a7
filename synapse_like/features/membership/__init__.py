"""Membership: joining, inviting, knocking, leaving, forgetting, kicking, banning.

A membership is an m.room.member event; the room's owner keeps those of local users in memory, so most of this needs no
database. Users of closed accounts leave everywhere.

`Membership` is the front door; the feature of profiles sets its `profile_of`.
"""

from synapse_like.features.accounts import Accounts
from synapse_like.features.directory import Directory
from synapse_like.features.membership.api import MembershipApi
from synapse_like.features.membership.config import MembershipConfig
from synapse_like.features.membership.invite_rules import InviteRules
from synapse_like.features.membership.limits import MembershipLimits
from synapse_like.features.membership.logic import Membership
from synapse_like.features.membership.profile import MemberProfile, ProfileOf
from synapse_like.features.membership.stripped import StrippedState
from synapse_like.federation.admission import Admission, Invitations
from synapse_like.federation.joining import RemoteMembership
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "MemberProfile", "Membership", "ProfileOf"]


def build(
    kit: Kit,
    rooms: Rooms,
    accounts: Accounts,
    directory: Directory,
    remote: RemoteMembership,
    admission: Admission,
    invitations: Invitations,
) -> Built:
    """Put the feature together."""
    config = kit.config[MembershipConfig]
    limits = MembershipLimits(kit.limiter, kit.config[RateLimits], config, kit.server_name, remote.policy)
    stripped = StrippedState(config.room_prejoin_state)
    membership = Membership(rooms, kit.database, limits, stripped, config, remote)
    admission.shown = rooms.reception.shown = stripped.of_room
    invitations.gate = InviteRules(accounts, config).check

    async def leave_all(user_id: str, is_erased: bool) -> None:
        await membership.leave_all(user_id)

    accounts.on_deactivated.append(leave_all)
    return Built(fronts=(membership,), apis=(MembershipApi(membership, directory),))


FEATURE = Feature(name="membership", build=build, package=__name__, apis=(MembershipApi,), configs=(MembershipConfig,))
