"""Federation: finding other servers, trusting them, and talking with them. Knows no feature.

Here live the client, the keys, and how requests of other servers are authenticated (`Auth.FEDERATION`). What is sent
and taken is built on it in the folders below; `build` is called by the composition root as that of a feature.
"""

from synapse_like.federation.client import FederationClient
from synapse_like.federation.config import FederationConfig
from synapse_like.federation.front import Federation
from synapse_like.federation.keys import KeyRing
from synapse_like.federation.policy import ServerPolicy
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Federation"]


def build(kit: Kit, rooms: Rooms) -> Built:
    """The client, the keys, and the endpoints that publish ours."""
    policy = ServerPolicy(kit.config[FederationConfig], kit.server_name)
    federation = Federation(policy, FederationClient(rooms.identity, policy), KeyRing())
    return Built(fronts=[federation])


FEATURE = Feature(name="federation", build=build, package=__name__, configs=(FederationConfig,))
