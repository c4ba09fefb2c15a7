"""Spaces: rooms whose state lists other rooms. Here is what other servers are shown of them."""

from synapse_like.features.directory import PublicRooms
from synapse_like.features.spaces.federation_api import SpacesFederationApi
from synapse_like.features.spaces.logic import Spaces
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Spaces"]


def build(kit: Kit, rooms: Rooms, public_rooms: PublicRooms) -> Built:
    """The endpoint."""
    spaces = Spaces(rooms, kit.database, public_rooms)
    return Built(fronts=[spaces], apis=[SpacesFederationApi(spaces)])


FEATURE = Feature(name="spaces", build=build, package=__name__, apis=(SpacesFederationApi,))
