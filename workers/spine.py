"""Puts the spine together: database, logs, readers, rooms. What features add comes in `build`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from replication import sql
from replication.bus import Bus, MemoryBus
from replication.committer import Committer
from replication.log import Log
from replication.metered_bus import MeteredBus
from replication.reader import Reader
from replication.recent import RecentFacts
from replication.shards import LEASE_MS, Holdings
from replication.streams import Storage, Stream
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms import persist
from synapse_like.rooms.arrival import Arrivals
from synapse_like.rooms.creation import EventCreation, Identity, Numbers
from synapse_like.rooms.event_store import EventStore
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

FAMILIES = (ROOM, USER)
OWNER = "main"
RENEW_SECONDS = 5.0
ANNOUNCE_SECONDS = 1.0
_RECENT_EVENT_BYTES = 64 * 1024 * 1024


OnLost = Callable[[], object]

logger = logging.getLogger(__name__)


def go_on() -> None:
    """Nobody wants to hear of lost shards."""


@dataclass(frozen=True, slots=True)
class Spine:
    """The parts that features are built on, and those that only the composition root touches."""

    kit: Kit
    rooms: Rooms
    committer: Committer
    bus: Bus
    holdings: Sequence[Holdings]

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
        """Migrate, take all shards, begin to read at the committed positions."""
        database = self.kit.database
        everything = [*migrations_in("replication"), *migrations_in("synapse_like.rooms"), *migrations]
        await database.write(lambda txn: migrate(txn, database.engine.name, everything))
        for holdings in self.holdings:
            holdings.held = await database.write(lambda txn, h=holdings: _take_all(txn, h))  # type: ignore[misc]
        await self.rooms.reader.start(self.kit.randomness.random_below(2**40) + 1)

    def jobs(self) -> list[tuple[str, float, Callable[[], Any]]]:
        """What the spine does every now and then: keep its leases, and say again how far its logs go."""
        return [("leases", RENEW_SECONDS, self._renew), ("announce", ANNOUNCE_SECONDS, self._announce)]

    async def _renew(self) -> None:
        names = [holdings.family.name for holdings in self.holdings]

        def renew(transaction: Transaction) -> None:
            for name in names:
                sql.renew_leases(transaction, name, OWNER, LEASE_MS)

        await self.kit.database.write(renew)

    async def _announce(self) -> None:
        self.committer.announce()

    async def stop(self) -> None:
        """Commit what is queued, give the shards back, close the database."""
        await self.committer.idle()
        for holdings in self.holdings:
            name = holdings.family.name
            await self.kit.database.write(lambda txn, n=name: sql.release_shards(txn, n, OWNER))  # type: ignore[misc]
        self.kit.database.close()


def build_spine(kit: Kit, signing_key: SigningKey, notices: Notices, on_lost: OnLost = go_on) -> Spine:
    """The spine of a process that owns all shards; `on_lost` is called if it does so no more."""
    meters = ReplicationMeters(kit.metrics, [family.name for family in FAMILIES])
    bus = MeteredBus(MemoryBus(kit.clock), meters)
    holdings = [Holdings(family) for family in FAMILIES]
    committer = Committer(kit.database, bus, holdings, meters)
    room_log, user_log = Log(ROOM, committer, bus), Log(USER, committer, bus)
    identity = Identity(kit.server_name, signing_key)
    events = EventStore(kit.database)
    live = LiveRooms(kit.database, kit.clock, notices)
    committer.on_fence_broken = partial(_distrust, live, {h.family.name: h for h in holdings}, on_lost)
    numbers = Numbers(KeyNumbers(kit.database), NumberBlock(kit.database, "event"), RoomNumbers(kit.database))
    placement = Placement(kit.database, events, numbers.keys, Resolver(events))
    outliers = Outliers(kit.database, events, numbers, kit.clock)
    arrivals = Arrivals(identity, live, room_log, numbers, events, outliers, placement, kit.clock)
    rooms = Rooms(
        identity=identity,
        creation=EventCreation(identity, live, room_log, numbers, events, kit.clock, notices),
        reception=EventReception(identity, live, room_log, numbers, events, placement, kit.clock, notices),
        arrivals=arrivals,
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
    return Spine(kit, rooms, committer, bus, holdings)


def _distrust(live: LiveRooms, holdings: Mapping[str, Holdings], on_lost: OnLost, key: tuple[str, int]) -> None:
    """What is in memory may be wrong: drop it. A process that has lost a shard has been replaced by another."""
    live.drop_all()
    family, shard = key
    if shard not in holdings[family].held:
        logger.critical("another process has taken %s shard %d over; stopping", family, shard)
        on_lost()


def _take_all(transaction: Transaction, holdings: Holdings) -> Any:
    family = holdings.family
    sql.create_shards(transaction, family.name, family.shards)
    return holdings.take(transaction, range(family.shards), OWNER, is_forced=True)


def _weight(fact: EventFact) -> int:
    return 500 + 3 * len(fact.json)
