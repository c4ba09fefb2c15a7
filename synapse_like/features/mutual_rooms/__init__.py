"""The rooms that a user shares with another. Source: client-server API, "Mutual rooms"; MSC2666."""

from synapse_like.features.mutual_rooms.api import MutualRoomsApi
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit, rooms: Rooms) -> Built:
    """The endpoint."""
    return Built(apis=[MutualRoomsApi(rooms.memberships)])


FEATURE = Feature(
    name="mutual_rooms",
    build=build,
    package=__name__,
    apis=(MutualRoomsApi,),
    unstable={
        "uk.half-shot.msc2666.query_mutual_rooms": True,
        "uk.half-shot.msc2666.query_mutual_rooms.stable": True,
    },
)
