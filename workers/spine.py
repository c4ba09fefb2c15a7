"""Puts the spine together: database, logs, readers, rooms. What features add comes in `build`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from replication import sql
from replication.bus import Bus
from replication.committer import Committer
from replication.log import Log
from replication.metered_bus import MeteredBus
from replication.reader import Reader
from replication.recent import RecentFacts
from replication.shards import Holdings
from replication.streams import Storage, Stream
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms import persist
from synapse_like.rooms.arrival import Arrivals
from synapse_like.rooms.backfilling import Backfilling
from synapse_like.rooms.creation import EventCreation, Identity, Numbers
from synapse_like.rooms.event_store import EventStore, weight_of
from synapse_like.rooms.facts import EVENTS, EventFact
from synapse_like.rooms.families import ROOM, USER, RoomLog, UserLog
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import RoomHosts
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.memberships import Memberships
from synapse_like.rooms.numbers import KeyNumbers, NumberBlock, RoomNumbers
from synapse_like.rooms.out_of_band import OutOfBand
from synapse_like.rooms.outliers import Outliers
from synapse_like.rooms.placement import Placement
from synapse_like.rooms.ports import Notices, PersistEffect
from synapse_like.rooms.receiving import EventReception
from synapse_like.rooms.resolution import Resolver
from synapse_like.toolkit.db import Migration, Transaction, migrate, migrations_in
from synapse_like.toolkit.feature import Kit
from synapse_like.toolkit.metrics.replication import ReplicationMeters
from workers.alone import Alone

FAMILIES = (ROOM, USER)
ANNOUNCE_SECONDS = 1.0
_RECENT_EVENT_BYTES = 16 * 1024 * 1024


OnLost = Callable[[], object]

logger = logging.getLogger(__name__)


def go_on() -> None:
    """Nobody wants to hear of lost shards."""


class Place(Protocol):
    """Where this process stands among others (`alone`, `together`)."""

    @property
    def bus(self) -> Bus:
        """Carries frames to whoever reads."""
        ...

    @property
    def holdings(self) -> Sequence[Holdings]:
        """What is owned, by family."""
        ...


@dataclass(frozen=True, slots=True)
class Spine:
    """The parts that features are built on, and those that only the composition root touches."""

    kit: Kit
    rooms: Rooms
    committer: Committer
    place: Place

    @property
    def holdings(self) -> Sequence[Holdings]:
        """What is owned here, by family."""
        return self.place.holdings

    def store(self, storages: Sequence[Storage[Any]], ephemeral: Sequence[Stream[Any]]) -> None:
        """Make streams known to owner and reader."""
        for storage in storages:
            self.committer.register(storage)
            self.rooms.reader.register(storage)
        for stream in ephemeral:
            self.rooms.reader.register_ephemeral(stream)

    def store_events(self, effects: Sequence[PersistEffect]) -> None:
        """Make the events stream known, with what features write beside it."""
        storage = persist.storage(effects)
        self.committer.register(storage)
        self.rooms.reader.register(storage, recent=RecentFacts(EVENTS, _RECENT_EVENT_BYTES, _weight))
        self.rooms.reader.subscribe(EVENTS, self.rooms.events.take)
        self.rooms.reader.subscribe(EVENTS, self.rooms.memberships.take)
        self.rooms.reader.subscribe(EVENTS, self.rooms.hosts.take)

    async def start(self, migrations: Sequence[Migration]) -> None:
        """Migrate, take all shards if we are alone, begin to read at the committed positions."""
        database = self.kit.database
        everything = [*migrations_in("replication"), *migrations_in("synapse_like.rooms"), *migrations]
        families = [holdings.family for holdings in self.place.holdings]

        def prepare(transaction: Transaction) -> None:
            migrate(transaction, database.engine.name, everything)
            for family in families:
                sql.create_shards(transaction, family.name, family.shards, is_log=family.is_log)

        await database.write(prepare)
        if isinstance(self.place, Alone):
            await self.place.take_all()
        await self.rooms.reader.start(self.kit.randomness.random_below(2**40) + 1)

    def ticks(self) -> list[tuple[str, float, Callable[[], Any]]]:
        """What the spine does every now and then: say again how far its logs go, and keep its leases."""
        announce = ("announce", ANNOUNCE_SECONDS, self._announce)
        return [announce, *self.place.jobs()] if isinstance(self.place, Alone) else [announce]

    async def _announce(self) -> None:
        self.committer.announce()

    async def stop(self) -> None:
        """Commit what is queued, give the shards back, close the database."""
        await self.committer.idle()
        if isinstance(self.place, Alone):
            await self.place.give_all()
        self.kit.database.close()


def build_spine(
    kit: Kit, signing_key: SigningKey, notices: Notices, on_lost: OnLost = go_on, place: Place | None = None
) -> Spine:
    """The spine of a process; without a place it owns all shards, and `on_lost` is called if it does so no more."""
    place = Alone(kit, FAMILIES) if place is None else place
    by_name = {holdings.family.name: holdings for holdings in place.holdings}
    meters = ReplicationMeters(kit.metrics, list(by_name))
    bus = MeteredBus(place.bus, meters)
    committer = Committer(kit.database, bus, place.holdings, meters)
    room_log, user_log = Log(ROOM, committer, bus), Log(USER, committer, bus)
    identity = Identity(kit.server_name, signing_key)
    events = EventStore(kit.database)
    live = LiveRooms(kit.database, kit.clock, notices, by_name[ROOM.name].check)
    committer.on_fence_broken = partial(_distrust, live, by_name, on_lost)
    numbers = Numbers(KeyNumbers(kit.database), NumberBlock(kit.database, "event"), RoomNumbers(kit.database))
    placement = Placement(kit.database, events, numbers.keys, Resolver(events))
    outliers = Outliers(kit.database, events, numbers, kit.clock)
    arrivals = Arrivals(identity, live, room_log, numbers, events, outliers, placement, kit.clock)
    rooms = Rooms(
        identity=identity,
        creation=EventCreation(identity, live, room_log, numbers, events, kit.clock, notices),
        reception=EventReception(identity, live, room_log, numbers, events, placement, kit.clock, notices),
        arrivals=arrivals,
        backfilling=Backfilling(live, room_log, numbers, events, placement, kit.clock),
        outliers=outliers,
        out_of_band=OutOfBand(kit.database, live, room_log, numbers, events, arrivals, kit.clock),
        live=live,
        events=events,
        memberships=Memberships(kit.database),
        hosts=RoomHosts(kit.database),
        keys=numbers.keys,
        room_log=RoomLog(room_log),
        user_log=UserLog(user_log, kit.database),
        reader=Reader(kit.database, bus, FAMILIES, meters),
    )
    return Spine(kit, rooms, committer, place)


def _distrust(live: LiveRooms, holdings: Mapping[str, Holdings], on_lost: OnLost, key: tuple[str, int]) -> None:
    """What is in memory of a shard may be wrong: drop it. Tell whoever wants to know if the shard is another's."""
    family, shard = key
    if family == ROOM.name:
        live.drop_shard(shard)
    if shard not in holdings[family].held:
        logger.error("another process has taken %s shard %d over", family, shard)
        on_lost()


def _weight(fact: EventFact) -> int:
    return weight_of(len(fact.event.encoded))
