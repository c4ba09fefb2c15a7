"""Making rooms: POST /createRoom.

All events of a new room, from m.room.create to the invites, are one commit. `RoomCreation` is the front door; with a
`RoomOrder` the server itself can make rooms too.
"""

from synapse_like.features.directory import Directory, PublicRooms
from synapse_like.features.membership import Membership
from synapse_like.features.room_creation.api import RoomCreationApi, RoomVersionsCapability
from synapse_like.features.room_creation.config import RoomCreationConfig
from synapse_like.features.room_creation.logic import CreationTools, RoomCreation
from synapse_like.features.room_creation.order import RoomOrder, StateOrder
from synapse_like.features.room_creation.power_levels import TOMBSTONE_LEVEL_AMONG_CREATORS
from synapse_like.features.server import Capabilities
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

_ELEMENT_NAMES = {"public": "public_chat", "private": "private_chat", "trusted_private": "trusted_private_chat"}

__all__ = ["FEATURE", "TOMBSTONE_LEVEL_AMONG_CREATORS", "RoomCreation", "RoomOrder", "StateOrder"]


def build(
    kit: Kit,
    rooms: Rooms,
    membership: Membership,
    directory: Directory,
    public_rooms: PublicRooms,
    capabilities: Capabilities,
) -> Built:
    """Put the feature together."""
    config = kit.config[RoomCreationConfig]
    for name, preset in _ELEMENT_NAMES.items():
        capabilities.unstable_features[f"io.element.e2ee_forced.{name}"] = config.is_encrypted(preset)
    tools = CreationTools(kit.randomness, kit.limiter, kit.config[RateLimits].rc_room_creation, config)
    creation = RoomCreation(rooms, membership, directory, public_rooms, tools)
    return Built(
        fronts=(creation,),
        apis=(RoomCreationApi(creation),),
        capabilities=(RoomVersionsCapability(config.default_room_version),),
    )


FEATURE = Feature(
    name="room_creation",
    build=build,
    package=__name__,
    apis=(RoomCreationApi,),
    configs=(RoomCreationConfig,),
)
