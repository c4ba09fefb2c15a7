"""The front door of the spine, for features and sync."""

from dataclasses import dataclass

from replication.reader import Reader
from synapse_like.rooms.arrival import Arrivals
from synapse_like.rooms.backfilling import Backfilling
from synapse_like.rooms.creation import Draft, EventCreation, Identity
from synapse_like.rooms.event_store import EventStore, StoredEvent
from synapse_like.rooms.families import RoomLog, UserLog
from synapse_like.rooms.hosts import RoomHosts
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.memberships import Memberships, RoomMember, UserRoom
from synapse_like.rooms.numbers import KeyNumbers
from synapse_like.rooms.out_of_band import OutOfBand
from synapse_like.rooms.outliers import Outliers
from synapse_like.rooms.receiving import EventReception

__all__ = ["Draft", "Identity", "RoomMember", "Rooms", "StoredEvent", "UserRoom"]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the spine offers.

    * `creation`     send events as local users, found rooms
    * `reception`    take in events that were made elsewhere
    * `arrivals`     make rooms of other servers live here
    * `backfilling`  store events of the past
    * `outliers`     store events without a place
    * `out_of_band`  memberships of local users in rooms in which this server is not
    * `live`         live rooms of this owner (current state that is not membership, local members, power levels)
    * `events`       stored events by id
    * `memberships`  rooms of users, members of rooms
    * `hosts`        which servers are in a room
    * `keys`         numbers of state keys
    * `room_log`, `user_log`   append facts that are not events
    * `reader`       positions, recent facts, subscriptions
    """

    identity: Identity
    creation: EventCreation
    reception: EventReception
    arrivals: Arrivals
    backfilling: Backfilling
    outliers: Outliers
    out_of_band: OutOfBand
    live: LiveRooms
    events: EventStore
    memberships: Memberships
    hosts: RoomHosts
    keys: KeyNumbers
    room_log: RoomLog
    user_log: UserLog
    reader: Reader
