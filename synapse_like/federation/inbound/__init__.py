"""What other servers send: transactions, and the events in them, up to their rooms.

* `transactions`   read, verified, answered once
* `intake`         the events of one room, at its owner
* `staging`        events that wait for what leads to them
* `gaps`           fetching that
"""

from synapse_like.federation.edus import EduReception
from synapse_like.federation.front import Federation
from synapse_like.federation.inbound.api import TransactionsApi
from synapse_like.federation.inbound.gaps import GapFilling
from synapse_like.federation.inbound.intake import RoomIntake
from synapse_like.federation.inbound.staging import Staging
from synapse_like.federation.inbound.transactions import Transactions
from synapse_like.federation.pdus import PduReader
from synapse_like.federation.remote_rooms import RemoteRooms
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "GapFilling", "RemoteRooms", "RoomIntake", "Staging", "Transactions"]

_FORGET_SECONDS = 3600.0


def build(kit: Kit, rooms: Rooms, federation: Federation, edus: EduReception) -> Built:
    """Transactions, and what they lead to."""
    reader = PduReader(federation.keys, kit.clock)
    remote = RemoteRooms(federation.client, reader)
    gaps = GapFilling(rooms, remote)
    staging = Staging(kit.database, kit.clock)
    intake = RoomIntake(rooms, staging, gaps, kit.clock)
    transactions = Transactions(intake, edus, reader, kit.database, kit.clock)
    return Built(
        fronts=[remote, gaps, intake, staging, transactions],
        apis=[TransactionsApi(transactions)] if federation.policy.is_enabled else (),
        tenants=[(ROOM, staging)],
        jobs=[("federation answers", _FORGET_SECONDS, transactions.forget_old)],
    )


FEATURE = Feature(name="federation.inbound", build=build, package=__name__, apis=(TransactionsApi,))
