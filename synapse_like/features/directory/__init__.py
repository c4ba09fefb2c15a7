"""Room aliases and the published room directory.

An alias is a name of this server for a room; it is reserved by a plain write, first come, first served. The directory
lists the rooms that somebody has published, from a table of summaries that is kept with the rooms' state.

`Directory` and `PublicRooms` are the front doors.
"""

from synapse_like.features.directory.api import AliasApi, PublicRoomsApi
from synapse_like.features.directory.config import DirectoryConfig
from synapse_like.features.directory.effect import keep_summaries
from synapse_like.features.directory.errors import AliasTaken
from synapse_like.features.directory.federation_api import DirectoryFederationApi
from synapse_like.features.directory.logic import Directory
from synapse_like.features.directory.public_rooms import PublicRooms, RoomSummary
from synapse_like.features.directory.remote import RemotePublicRooms
from synapse_like.features.directory.rules import Rules
from synapse_like.federation import Federation
from synapse_like.federation.joining import RemoteAliases
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "AliasTaken", "Directory", "PublicRooms", "RoomSummary"]


def build(kit: Kit, rooms: Rooms, federation: Federation, remote: RemoteAliases) -> Built:
    """Put the feature together."""
    config = kit.config[DirectoryConfig]
    directory = Directory(rooms, kit.database, kit.clock, Rules(config.alias_creation_rules), config, remote)
    public_rooms = PublicRooms(rooms, kit.database, Rules(config.room_list_publication_rules), config)
    return Built(
        fronts=(directory, public_rooms),
        apis=(
            AliasApi(directory),
            PublicRoomsApi(public_rooms, RemotePublicRooms(federation.client), config),
            DirectoryFederationApi(directory, public_rooms, config),
        ),
        effects=(keep_summaries,),
    )


FEATURE = Feature(
    name="directory",
    build=build,
    package=__name__,
    apis=(AliasApi, PublicRoomsApi, DirectoryFederationApi),
    configs=(DirectoryConfig,),
)
