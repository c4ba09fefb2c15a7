"""Receipts: how far users have read each room, publicly or privately, per thread or not; and the fully-read marker,
which is account data. `Receipts` is the front door.
"""

from synapse_like.features.account_data import UserData
from synapse_like.features.receipts.api import ReceiptsApi
from synapse_like.features.receipts.edus import receiver, source
from synapse_like.features.receipts.logic import ReadMarks, Receipts
from synapse_like.features.receipts.section import ReceiptsSection
from synapse_like.features.receipts.stream import RECEIPTS, ReceiptFact, storage
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RECEIPTS", "ReadMarks", "ReceiptFact", "Receipts"]


def build(kit: Kit, rooms: Rooms, data: UserData) -> Built:
    """The endpoints, the stream and the part of /sync."""
    receipts = Receipts(kit.database, rooms, data, kit.clock)
    return Built(
        fronts=[receipts],
        apis=[ReceiptsApi(receipts)],
        storages=[storage()],
        tenants=[(ROOM, receipts)],
        sections=[ReceiptsSection(rooms.reader)],
        edu_sources=[source(kit.server_name)],
        edu_receivers=[receiver(receipts)],
    )


FEATURE = Feature(name="receipts", build=build, package=__name__, apis=(ReceiptsApi,))
