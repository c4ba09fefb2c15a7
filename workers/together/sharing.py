"""Everything that a process shares with others, put together: registry, ownership, calls, the bus."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred

from replication import sql
from replication.barrier import METHOD as HEARD
from replication.barrier import Barrier
from replication.calls import Channel, Door, Incoming, Peers, Station, Unreachable
from replication.calls.errors import MOVED, outcome_of
from replication.codec import FrameCodec
from replication.committer import Committer
from replication.freshness import PATIENCE_SECONDS, Freshness
from replication.hub_carrier import HubCarrier
from replication.ownership import CHANGED, Ownership, Pace, Sight, Tenancy
from replication.redis_carrier import RedisCarrier, RedisLogin
from replication.registry import Registry, Worker
from replication.shards import Holdings, NotOwned
from replication.shared_bus import SharedBus
from replication.streams import Family, Stream
from replication.twins import give_twins
from synapse_like import __version__
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Kit
from synapse_like.toolkit.logs import request_at_work
from synapse_like.toolkit.metrics.replication import ReplicationMeters
from workers.kinds import KINDS, MAIN
from workers.together.config import WorkersConfig
from workers.together.failures import failure_of
from workers.together.network import connector, listener, redis_endpoint
from workers.together.owners import Owners
from workers.together.process import Process
from workers.together.shards import Shards

logger = logging.getLogger(__name__)

LEASES: Final = Family("lease", shards=2, is_log=False)
"""Leases of single tasks: who passes frames on, and who runs the jobs."""
HUB: Final = 0
JOBS: Final = 1
POLL_SECONDS: Final = 1.0
BEATS_PER_LEASE: Final = 4
LOOK_AFTER_SECONDS: Final = 0.05
NOTICE_MS: Final = 2_500
"""Within what time a proxy sees that a process wants no more requests: it asks every second."""
LOOK_SECONDS: Final = 0.25


class Sharing:
    """This process among others. Made before the spine, joined to it by `attach`, started by `join`."""

    def __init__(self, process: Process, kit: Kit, reactor: Any, families: Sequence[Family], secret: bytes) -> None:
        config = kit.config[WorkersConfig]
        self.process = process
        self.on_replaced: Callable[[], object] = lambda: None
        self.owners: Owners
        self._kit = kit
        self._reactor = reactor
        self._pace = Pace(config.worker_lease.ms, config.worker_lease.ms // BEATS_PER_LEASE)
        self.holdings = [Holdings(family, config.worker_lease.ms) for family in (*families, LEASES)]
        self.codec = FrameCodec()
        station = Station(process.name, secret, kit.clock, kit.randomness, self._answer, self._note, failure_of)
        station.beat_s = self._pace.beat_ms / 1000
        station.on_closed = self._lost
        self._meters = ReplicationMeters(kit.metrics, [family.name for family in families])
        self.peers = Peers(station, connector(reactor, config.worker_calls_tls), self._meters)
        self._door = Door(station, listener(reactor, config.worker_calls_tls))
        self._hub: HubCarrier | None = None
        self._redis: RedisCarrier | None = None
        if config.redis.enabled:
            redis = config.redis
            login = RedisLogin(redis.username, redis.password.value if redis.password else None, redis.dbid)
            self._redis = RedisCarrier(redis_endpoint(reactor, redis), login)
        else:
            self._hub = HubCarrier(process.name, self.peers, kit.clock)
        carrier: Any = self._redis or self._hub
        self.bus = SharedBus(process.name, kit.clock, self.codec, carrier)
        self._methods: dict[str, Callable[[Incoming], Awaitable[bytes]]] = {}
        self._poll: Any = None
        self._is_stopped = False
        self._gone: set[tuple[str, int]] = set()

    def attach(self, committer: Committer, rooms: Rooms) -> None:
        """Join what the spine has made."""
        reader, shards = rooms.reader, Shards(self._kit.database, rooms.user_log)
        kit, clock = self._kit, self._kit.clock
        me = Worker(
            name=self.process.name,
            kind=self.process.kind.name,
            address="",
            version=__version__,
            started_ms=clock.now_ms(),
        )
        self.registry = Registry(me, self._pace.lease_ms)
        self.claims = {
            family.name: [*(kind.name for kind in KINDS if family in kind.owns), MAIN.name]
            for family in (each.family for each in self.holdings)
        }
        self.ownership = Ownership(
            kit.database, clock, self.registry, self._pace, self.holdings, committer, self.claims
        )
        self.ownership.gone = lambda: self._gone
        self.ownership.tell_others = self._tell_others
        self.ownership.on_look.append(self._see)
        self.freshness = Freshness(kit.database, reader, clock)
        self.ownership.catch_up = self.freshness.reach
        self.barrier = Barrier(kit.database, clock, self.ownership, self.peers, self.freshness)
        self.owners = Owners(self.ownership, self.peers, shards, self.freshness, clock)
        self._methods[HEARD] = lambda incoming: self.barrier.answer(incoming.body)
        self._reader = reader
        self.ownership.on_replaced = lambda: self.on_replaced()
        self.ownership.on_lapsed = self.owners.give_up
        rooms.user_log.heard_by_all = self.barrier.heard
        reader.on_put_back = self._begin_anew
        self.give_twins([rooms.creation, rooms.reception])

    def speak(self, streams: Iterable[Stream[Any]]) -> None:
        """Learn how the facts of these streams cross."""
        for stream in streams:
            self.codec.register(stream)

    def where_jobs_run(self, job: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """A job that runs only in the process that runs the jobs."""

        async def run() -> None:
            if self.runs_jobs():
                await job()

        return run

    def give_twins(self, things: Sequence[object]) -> None:
        """Let marked methods run where their shards are owned."""
        for thing in things:
            self.owners.twins |= give_twins(thing, self.owners)

    async def join(self, tenancy: Tenancy) -> None:
        """Listen for others, register, take what is ours."""
        self.ownership.tenancy = tenancy
        address = self._door.open(self.process.calls_host, self.process.calls_port)
        address = self.process.advertised or address
        self.registry.me = msgspec.structs.replace(self.registry.me, address=address)
        if self._redis is not None:
            self._redis.start(f"synapse-like:{self._kit.server_name}:{self._reader.incarnation}")
        await self.ownership.start()
        self._poll = self._kit.clock.call_later(POLL_SECONDS, self._poll_soon)

    async def drain(self) -> None:
        """Give everything away; then answer requests by passing them on until proxies have noticed that we go."""
        began_ms = self._kit.clock.monotonic_ms()
        await self.ownership.drain()
        while self.ownership.has_heirs() and self._kit.clock.monotonic_ms() - began_ms < NOTICE_MS:
            await self.ownership.another_look(LOOK_SECONDS)

    async def give(self) -> None:
        """Give everything away."""
        await self.ownership.drain()
        await self.ownership.give_all()

    async def leave(self) -> None:
        """Leave the registry, and hang up."""
        await self.ownership.stop()
        self._is_stopped = True
        if self._poll is not None:
            self._poll.cancel()
        if self._hub is not None:
            self._hub.close()
        if self._redis is not None:
            await self._redis.stop()
        await self._door.close()
        self.peers.close()

    async def is_settled(self) -> str | None:
        """What is not as it should be with our shards, in words; None if nothing is."""
        if not self.ownership.has_valid_registration:
            return "not registered"
        waiting = self.ownership.is_waiting_for()
        return f"waiting for {waiting} shards" if waiting else None

    def runs_jobs(self) -> bool:
        """Whether the jobs of the whole server are run here."""
        return any(each.owns(JOBS) for each in self.holdings if each.family is LEASES)

    # -- calls and notes -----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: Incoming) -> bytes:
        """Carry out a call of another process, on behalf of the request that it was made for."""
        method = self._methods.get(incoming.method, self.owners.answer_call)
        end = self._meters.serving(incoming.method if self._knows(incoming.method) else "unknown")
        with request_at_work(incoming.request_id):
            try:
                answer = await method(incoming)
            except BaseException as error:
                end(MOVED if isinstance(error, NotOwned) else outcome_of(error))
                raise
        end("answered")
        return answer

    def _knows(self, method: str) -> bool:
        return method in self._methods or self.owners.answers(method)

    def _note(self, channel: Channel, topic: str, body: bytes) -> None:
        if topic == CHANGED:
            for name, started_ms in msgspec.msgpack.decode(body, type=list[tuple[str, int]]):
                if name != self.process.name:
                    self._miss(name, started_ms)
            self.ownership.look_soon()
        elif self._hub is not None:
            self._hub.took_note(channel, topic, body)

    def _lost(self, channel: Channel) -> None:
        """A connection broke: if nobody answers there any more, the process is gone, and its shards are free."""
        if self._hub is not None:
            self._hub.lost(channel)
        worker = self.ownership.sight.workers.get(channel.peer)
        if worker is not None and not self._is_stopped:
            self._kit.clock.call_later(LOOK_AFTER_SECONDS, lambda: self._look_for(worker))

    def _look_for(self, worker: Worker) -> None:
        def absent(_: object) -> None:
            if not self._is_stopped and (worker.name, worker.started_ms) in self.peers.refused:
                logger.warning("nobody answers at the address of %s any more", worker.name)
                self._miss(worker.name, worker.started_ms)
                self._tell_others()
                self.ownership.look_soon()

        _ = Deferred.fromCoroutine(self.peers.channel(worker)).addErrback(absent)

    def _miss(self, name: str, started_ms: int) -> None:
        """Count a process as gone; if it lives after all, it is seen again when this is forgotten."""
        key = (name, started_ms)
        if key not in self._gone:
            self._gone.add(key)
            self._kit.clock.call_later(3 * self._pace.lease_ms / 1000, lambda: self._gone.discard(key))
        self.peers.refused.discard(key)

    def _tell_others(self) -> None:
        body = msgspec.msgpack.encode(sorted(self._gone))
        for channel in self.peers.open_channels():
            channel.note(CHANGED, body)

    def _see(self, sight: Sight) -> None:
        """Follow the hub, and be connected with everybody: that is how it is noticed that somebody is gone."""
        if self._hub is not None:
            self._hub.follow(self.ownership.owner_of(LEASES.name, HUB))
        self.peers.keep(sight.workers.values())
        for worker in sight.workers.values():
            if worker.name != self.process.name and worker.address and not self._is_stopped:
                _ = Deferred.fromCoroutine(self.peers.channel(worker)).addErrback(_expect_unreachable)

    # -- the database, where the bus is silent -------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """The database is behind what was heard of, so it was put back: nothing that anybody remembers is true."""
        logger.critical("the database is behind what it was: it was put back, and this process begins anew")
        known, fresh = self._reader.incarnation, self._kit.randomness.random_below(2**40) + 1
        raised = self._kit.database.write(lambda txn: sql.raise_incarnation(txn, known, fresh))
        _ = Deferred.fromCoroutine(_awaited(raised)).addErrback(_log).addCallback(lambda _: self.on_replaced())

    def _poll_soon(self) -> None:
        def again(_: object) -> None:
            if not self._is_stopped:
                self._poll = self._kit.clock.call_later(POLL_SECONDS, self._poll_soon)

        _ = Deferred.fromCoroutine(self._catch_up()).addErrback(_log).addCallback(again)

    async def _catch_up(self) -> None:
        """Fetch what the bus has not brought although it was given some time."""
        ends = await self._reader.poll()
        await self._kit.clock.sleep(PATIENCE_SECONDS)
        self._reader.refill_to(ends)


def _expect_unreachable(failure: Any) -> None:
    """Who cannot be reached now is looked for at the next look; anything else is a fault, and said."""
    if failure.check(Unreachable) is None:
        logger.error("connecting with another process failed:\n%s", failure.getTraceback())


async def _awaited(waiting: Awaitable[Any]) -> None:
    await waiting


def _log(failure: Any) -> None:
    logger.error("asking the database for positions failed: %s", failure.getErrorMessage())
