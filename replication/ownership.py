"""Which process owns what: beating, looking around, giving and taking shards.

Every process looks at the registry and at the owners of all shards now and then, and at once when it hears of a
change. Who should own a shard follows from who lives (`rendezvous`). One that should not, gives: it takes nothing new
in, stores what is queued, and releases the lease; then the one that should, takes. The lease of a process that is gone
is taken when it has lapsed, or as soon as nobody listens at its address any more: the fence is what makes that safe.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredList

from replication import sql
from replication.ports import Clock, Transaction, Transactions
from replication.registry import Registry, Worker, live_workers
from replication.rendezvous import Claims, wanted
from replication.shards import Holdings
from replication.sql.shards import owners as owners_sql
from replication.streams import Family

logger = logging.getLogger(__name__)

ShardKey = tuple[str, int]

LEAST_SECONDS: Final = 0.05
"""The pause between two looks, however many ask for one."""

CHANGED: Final = "shards-changed"
"""The topic of the note that tells others to look at once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lease and a registration last without a sign of life, and how often one is given."""

    lease_ms: int = 8_000
    beat_ms: int = 2_000


class Draining(Protocol):
    """The part of the committer that is needed here."""

    def drained(self, family: str, shard: int) -> "Deferred[None]":
        """Fires when everything that was queued for a shard so far is stored or has failed."""
        ...


class Tenancy(Protocol):
    """Who has to know that shards come and go (`toolkit.feature.Tenant`, for all families)."""

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """They are ours."""
        ...

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """They are about to go, or are gone."""
        ...


@dataclass(slots=True)
class Sight:
    """What the last look has shown."""

    workers: dict[str, Worker] = field(default_factory=dict)
    owners: dict[ShardKey, str] = field(default_factory=dict)
    epochs: dict[ShardKey, int] = field(default_factory=dict)
    at_ms: int = 0


class Ownership:
    """This process's part in the sharing. `gone` tells which processes nobody listens for any more."""

    def __init__(
        self,
        database: Transactions,
        clock: Clock,
        registry: Registry,
        pace: Pace,
        holdings: Sequence[Holdings],
        committer: Draining,
        claims: Claims,
    ) -> None:
        self.sight = Sight()
        self.is_draining = False
        self.is_registered = False
        self.tenancy: Tenancy | None = None
        self.gone: Callable[[], set[tuple[str, int]]] = set
        self.tell_others: Callable[[], None] = lambda: None
        self.on_replaced: Callable[[], object] = lambda: None
        self.on_lapsed: Callable[[], object] = lambda: None
        self.catch_up: Callable[[], Awaitable[None]] = _nothing
        self.on_look: list[Callable[[Sight], None]] = []
        self._database = database
        self._clock = clock
        self._registry = registry
        self._pace = pace
        self._holdings = {each.family.name: each for each in holdings}
        self._committer = committer
        self._claims = claims
        self._waiters: list[Deferred[None]] = []
        self._beaten_ms = 0
        self._timer: Any = None
        self._looking: Deferred[None] | None = None
        self._is_again = False
        self._is_stopped = False

    @property
    def me(self) -> Worker:
        """This process."""
        return self._registry.me

    @property
    def has_valid_registration(self) -> bool:
        """Whether others still count with this process: it may answer from memory."""
        return self.is_registered and self._clock.monotonic_ms() - self._beaten_ms < self._pace.lease_ms

    async def start(self) -> None:
        """Register, and take what is ours."""

        began_ms = self._clock.monotonic_ms()
        await self._database.write(self._registry.register)
        self.is_registered, self._beaten_ms = True, began_ms
        self._pulse()
        await self.look()

    async def drain(self) -> None:
        """Give everything away, and take nothing more; where it is then is still looked after."""
        self.is_draining = True
        await self.look()  # others see that we leave, and that it is theirs

    def has_heirs(self) -> bool:
        """Whether somebody stays when we leave."""
        return any(not each.is_draining and each.name != self.me.name for each in self.sight.workers.values())

    async def stop(self) -> None:
        """Give away what is left, and leave the registry."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            await _heard(self._looking)
        await self.give_all()
        self.is_registered = False
        await self._database.write(self._registry.leave)
        self.tell_others()

    def look_soon(self) -> None:
        """Something has changed: look now, or again after the look that is under way."""
        if self._is_stopped:
            return
        if self._looking is not None:
            self._is_again = True
            return
        _ = Deferred.fromCoroutine(self.look()).addErrback(_log)

    async def look(self) -> None:
        """Beat, look around, give and take."""
        if self._looking is not None:
            self._is_again = True
            await _heard(self._looking)
            return
        self._looking = Deferred()
        try:
            while True:
                self._is_again = False
                await self._look_once()
                if not self._is_again or self._is_stopped:
                    break
                await self._pause(LEAST_SECONDS)
        finally:
            done, self._looking = self._looking, None
            done.callback(None)

    def owner_of(self, family: str, shard: int) -> Worker | None:
        """The process that owns a shard, as far as is known here; None if nobody does, or it is gone."""
        if self._holdings[family].owns(shard) and self.has_valid_registration:
            return self.me
        owner = self.sight.workers.get(self.sight.owners.get((family, shard), ""))
        return None if owner is None or owner.name == self.me.name else owner

    def owns_everything(self) -> bool:
        """Whether nobody else can append anything: then nothing can have been said that was not heard here."""
        return all(
            len(holdings.held) == holdings.family.shards and not holdings.is_suspended
            for holdings in self._holdings.values()
            if holdings.family.is_log
        )

    def is_waiting_for(self) -> int:
        """How many shards should be ours and are not yet."""
        families = [holdings.family for holdings in self._holdings.values()]
        plan = wanted(families, list(self.sight.workers.values()), self._claims)
        return sum(
            owner == self.me.name and shard not in self._holdings[family].held
            for (family, shard), owner in plan.items()
        )

    async def another_look(self, timeout_s: float) -> None:
        """Wait until somebody has looked again, or for so long."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        timer = self._clock.call_later(timeout_s, lambda: None if waiter.called else waiter.callback(None))
        self.look_soon()
        await waiter
        timer.cancel()

    # -- one look ------------------------------------------------------------------------------------------------------

    async def _look_once(self) -> None:
        began_ms = self._clock.monotonic_ms()
        try:
            is_ours, workers, rows = await self._database.write(self._beat)
        except Exception as error:
            logger.error("cannot look at the registry: %s", error)
            self._suspend_if_late()
            return
        if not is_ours:
            await self._struck(workers)
            return
        if self.is_registered and not self.has_valid_registration:
            await self.catch_up()  # those who waited until everybody had heard something did not wait for us
        self._beaten_ms = began_ms
        for holdings in self._holdings.values():
            holdings.is_suspended = False
        living = [w for w in workers if (w.name, w.started_ms) not in self.gone()]
        gone = {name for name, _ in self.gone()} - {worker.name for worker in living}
        self.sight.workers = {worker.name: worker for worker in living}
        self.sight.owners = {(family, shard): owner for family, shard, owner, _, _ in rows}
        self.sight.epochs = {(family, shard): epoch for family, shard, _, epoch, _ in rows}
        self.sight.at_ms = began_ms
        plan = wanted([each.family for each in self._holdings.values()], living, self._claims)
        has_changed = await self._give(plan)
        if not self.is_draining:
            has_changed = await self._take(plan, gone) or has_changed
        if has_changed:
            self.tell_others()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(None)
        for hear in self.on_look:
            hear(self.sight)

    def _beat(self, transaction: Transaction) -> tuple[bool, list[Worker], list[tuple[str, int, str, int, int]]]:
        is_ours = self._registry.beat(transaction, is_draining=self.is_draining)
        if is_ours:
            for holdings in self._holdings.values():
                if holdings.held:
                    sql.renew_leases(transaction, holdings.family.name, self.me.name, self._pace.lease_ms)
        return is_ours, live_workers(transaction), owners_sql(transaction)

    async def _give(self, plan: Mapping[ShardKey, str]) -> bool:
        """Give away what others should have."""
        has_given = False
        for name, holdings in self._holdings.items():
            owned = [(shard, self.sight.owners.get((name, shard))) for shard in holdings.held]
            lost = [shard for shard, owner in owned if owner not in (self.me.name, "")]
            if lost:
                await self._drop(holdings, lost)
            stray = [s for s, owner in self._owned_in(name) if owner == self.me.name and s not in holdings.held]
            if stray := [s for s in stray if plan.get((name, s)) != self.me.name]:  # giving them away has failed
                await self._release(name, stray)
                has_given = True
            others = [s for s in holdings.held if plan.get((name, s), self.me.name) != self.me.name]
            if others:
                await self._hand_over(holdings, others)
                has_given = True
        return has_given

    async def _hand_over(self, holdings: Holdings, shards: Sequence[int]) -> None:
        """Take nothing new in, store what is queued, then release the leases."""
        name = holdings.family.name
        holdings.closing.update(shards)
        try:
            await DeferredList([self._committer.drained(name, shard) for shard in shards], consumeErrors=True)
            if self.tenancy is not None:
                await self.tenancy.gave(holdings.family, shards)
            still = [shard for shard in shards if shard in holdings.held]
            for shard in still:
                del holdings.held[shard]
            await self._release(name, still)
            logger.info("gave %d shards of %s away", len(still), name)
        finally:
            holdings.closing.difference_update(shards)

    async def _release(self, name: str, shards: Sequence[int]) -> None:
        await self._database.write(lambda txn: sql.release_shards(txn, name, self.me.name, shards))
        for shard in shards:
            self.sight.owners[name, shard] = ""

    def _owned_in(self, name: str) -> list[tuple[int, str]]:
        """(shard, owner) of a family, as was seen last."""
        return [(shard, owner) for (family, shard), owner in self.sight.owners.items() if family == name]

    async def give_all(self) -> None:
        """Give away what nobody takes either: there is nobody else."""
        for holdings in self._holdings.values():
            if holdings.held:
                await self._hand_over(holdings, list(holdings.held))

    async def _drop(self, holdings: Holdings, shards: Sequence[int]) -> None:
        """Others have these shards by now: what is in memory of them is worth nothing."""
        if not shards:
            return
        logger.error("shards %s of %s were taken over by others", list(shards), holdings.family.name)
        for shard in shards:
            holdings.held.pop(shard, None)
        if self.tenancy is not None:
            await self.tenancy.gave(holdings.family, shards)

    async def _take(self, plan: Mapping[ShardKey, str], gone: set[str]) -> bool:
        """Take what should be ours and is nobody's (any more)."""
        has_taken = False
        for name, holdings in self._holdings.items():
            mine = [s for s in range(holdings.family.shards) if plan.get((name, s)) == self.me.name]
            free = [s for s in mine if s not in holdings.held and self._is_free(self.sight.owners.get((name, s)), gone)]
            if free:
                taken = await self._database.write(
                    lambda txn, h=holdings, f=free: h.take(txn, f, self.me.name, dead=sorted(gone))  # type: ignore[misc]
                )
                holdings.held.update(taken)
                for shard in taken:
                    self.sight.owners[name, shard] = self.me.name
                logger.info("took %d shards of %s", len(taken), name)
                if self.tenancy is not None:
                    await self.tenancy.took(holdings.family, sorted(taken))
                has_taken = True
        return has_taken

    def _is_free(self, owner: str | None, gone: set[str]) -> bool:
        return not owner or owner == self.me.name or owner in gone

    async def _struck(self, workers: Sequence[Worker]) -> None:
        """Others do not count with us any more. Begin afresh, unless another process has our name."""
        self.is_registered = False
        for holdings in self._holdings.values():
            await self._drop(holdings, list(holdings.held))
        if any(worker.name == self.me.name for worker in workers):
            logger.critical("another process has registered as %s; stopping", self.me.name)
            self.on_replaced()
            return
        logger.error("this process was struck out of the registry; it begins afresh")
        began_ms = self._clock.monotonic_ms()
        await self._database.write(self._registry.register)
        await self.catch_up()
        self.is_registered, self._beaten_ms = True, began_ms
        self._is_again = True

    def _suspend_if_late(self) -> None:
        if self._clock.monotonic_ms() - self._beaten_ms >= self._pace.lease_ms:
            for holdings in self._holdings.values():
                holdings.is_suspended = True

    def _pulse(self) -> None:
        """Look, again and again; while a look takes long (something is given away slowly), beat at least."""
        if self._is_stopped:
            return
        self._timer = self._clock.call_later(self._pace.beat_ms / 1000, self._pulse)
        if self.is_registered and not self.has_valid_registration:
            self.on_lapsed()
        if self._looking is None:
            self.look_soon()
        else:
            _ = Deferred.fromCoroutine(self._beat_alone()).addErrback(_log)

    async def _beat_alone(self) -> None:
        began_ms = self._clock.monotonic_ms()
        is_ours, _, _ = await self._database.write(self._beat)
        if is_ours and self.has_valid_registration:
            self._beaten_ms = began_ms

    async def _pause(self, seconds: float) -> None:
        waiter: Deferred[None] = Deferred()
        self._clock.call_later(seconds, lambda: waiter.callback(None))
        await waiter


async def _nothing() -> None:
    """There is nothing to catch up with."""


async def _heard(other: "Deferred[None]") -> None:
    """Wait for what somebody else waits for too."""
    mine: Deferred[None] = Deferred()

    def pass_on(result: Any) -> Any:
        mine.callback(None)
        return result

    _ = other.addBoth(pass_on)
    await mine


def _log(failure: Any) -> None:
    logger.error("looking at the registry failed: %s", failure)
