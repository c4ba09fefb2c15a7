"""Our users in rooms of other servers: joining, knocking, refusing invites; and inviting users of other servers.

* `RemoteMembership`   the front door for the feature of membership
* `RemoteAliases`      the front door for the feature of the directory
"""

from synapse_like.federation.front import Federation
from synapse_like.federation.joining.aliases import RemoteAliases
from synapse_like.federation.joining.handshakes import Handshakes
from synapse_like.federation.joining.logic import RemoteMembership
from synapse_like.federation.joining.third_party import ThirdPartyApi, ThirdPartyInvites
from synapse_like.federation.remote_rooms import RemoteRooms
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RemoteAliases", "RemoteMembership"]


def build(kit: Kit, rooms: Rooms, federation: Federation, remote: RemoteRooms) -> Built:
    """The front doors."""
    handshakes = Handshakes(federation.client, rooms.identity, kit.clock, kit.randomness)
    membership = RemoteMembership(rooms, handshakes, remote.reader, federation.policy)
    invites = ThirdPartyInvites(rooms, membership, federation.client)
    apis = [ThirdPartyApi(invites, kit.limiter, kit.config[RateLimits].rc_third_party_invite)]
    return Built(
        fronts=[membership, RemoteAliases(federation.client)], apis=apis if federation.policy.is_enabled else ()
    )


FEATURE = Feature(name="federation.joining", build=build, package=__name__, apis=(ThirdPartyApi,))
