"""Room upgrades: replacing a room by one of another version, with its state, aliases and place in the directory."""

from synapse_like.features.directory import Directory
from synapse_like.features.membership import Membership
from synapse_like.features.room_creation import RoomCreation
from synapse_like.features.upgrade.api import UpgradeApi
from synapse_like.features.upgrade.logic import RoomUpgrades
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RoomUpgrades"]


def build(kit: Kit, rooms: Rooms, membership: Membership, directory: Directory, creation: RoomCreation) -> Built:
    """Put the feature together."""
    upgrades = RoomUpgrades(rooms, membership, directory, creation)
    return Built(fronts=(upgrades,), apis=(UpgradeApi(upgrades),))


FEATURE = Feature(name="upgrade", build=build, package=__name__, apis=(UpgradeApi,))
