"""What other servers may ask about rooms in which they are: events, states, auth chains, the past.

Any process answers: everything is read from the database.
"""

from synapse_like.federation.front import Federation
from synapse_like.federation.serving.access import ServerAccess
from synapse_like.federation.serving.api import RecordsApi
from synapse_like.federation.serving.logic import RoomRecords
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RoomRecords", "ServerAccess"]


def build(kit: Kit, rooms: Rooms, federation: Federation) -> Built:
    """The endpoints; none if federation is off."""
    access = ServerAccess(rooms, kit.database)
    records = RoomRecords(rooms, kit.database, access)
    apis = [RecordsApi(records, kit.server_name, kit.clock)]
    return Built(fronts=[records, access], apis=apis if federation.policy.is_enabled else ())


FEATURE = Feature(name="federation.serving", build=build, package=__name__, apis=(RecordsApi,))
