"""The past of rooms that other servers have and we do not: fetched when somebody here pages back to where ours ends."""

from synapse_like.federation.inbound import GapFilling
from synapse_like.federation.past.logic import RemotePast
from synapse_like.federation.remote_rooms import RemoteRooms
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RemotePast"]


def build(kit: Kit, rooms: Rooms, remote: RemoteRooms, gaps: GapFilling) -> Built:
    """The front door."""
    return Built(fronts=[RemotePast(rooms, remote, gaps, kit.clock)])


FEATURE = Feature(name="federation.past", build=build, package=__name__)
