"""What clients used before /sync: /events, /initialSync and the room's own /initialSync.

Deprecated since r0 of the specification, and still asked for by old bots. They tell of rooms and of account data;
typing, receipts and presence come with /sync alone. Tokens are those of /sync.
"""

from synapse_like.features.account_data import UserData
from synapse_like.features.history import TimelineTokens
from synapse_like.features.legacy_sync.api import LegacySyncApi
from synapse_like.features.legacy_sync.events import EventStream
from synapse_like.features.legacy_sync.snapshot import Snapshots
from synapse_like.rooms.front import Rooms
from synapse_like.sync.notifier import Notifier
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit, rooms: Rooms, notifier: Notifier, tokens: TimelineTokens, data: UserData) -> Built:
    """The endpoints."""
    stream = EventStream(kit.database, kit.clock, rooms, notifier, data)
    snapshots = Snapshots(kit.database, kit.clock, rooms, data)
    return Built(apis=[LegacySyncApi(stream, snapshots, tokens)])


FEATURE = Feature(name="legacy_sync", build=build, package=__name__, apis=(LegacySyncApi,))
