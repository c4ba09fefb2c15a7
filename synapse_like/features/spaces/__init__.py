"""Spaces: rooms whose state lists other rooms. Shown to users, across servers, and to other servers."""

from synapse_like.features.directory import PublicRooms
from synapse_like.features.spaces.api import SpacesApi
from synapse_like.features.spaces.federation_api import SpacesFederationApi
from synapse_like.features.spaces.logic import Spaces
from synapse_like.features.spaces.remote import RemoteSpaces
from synapse_like.features.spaces.walk import SpaceWalk
from synapse_like.federation import Federation
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Spaces"]


def build(kit: Kit, rooms: Rooms, federation: Federation, public_rooms: PublicRooms) -> Built:
    """The endpoints."""
    spaces = Spaces(rooms, kit.database, public_rooms)
    walk = SpaceWalk(spaces, RemoteSpaces(federation.client, kit.clock))
    return Built(fronts=[spaces], apis=[SpacesApi(walk), SpacesFederationApi(spaces)])


FEATURE = Feature(name="spaces", build=build, package=__name__, apis=(SpacesApi, SpacesFederationApi))
