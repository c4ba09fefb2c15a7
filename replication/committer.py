"""Group commit: what has gathered is stored by one transaction, fenced, and only then published and answered.

While a transaction is under way new appends queue up, so the cost per append falls as load rises. A batch that fails
is split: by shard, then by key; only the guilty part fails. After a commit of unknown outcome the positions in the
database tell whether it happened.
"""

import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from replication import sql
from replication.bus import Bus, Frame
from replication.numbers import pack, pack_backward
from replication.ports import Transaction, Transactions
from replication.shards import LEASE_MS, FenceBroken, Held, Holdings, NotOwned
from replication.streams import Fact, Storage, Stream

logger = logging.getLogger(__name__)

BATCH_FACTS = 500

Extra = Callable[[Transaction], None]


class Dropped(Exception):
    """What this append was built on has been thrown away; build it again."""


@dataclass(eq=False, slots=True)
class Append:
    """Facts of one shard that are stored together or not at all.

    `key` is what fails together (a room, a user). `is_current` says whether what the facts were built on still stands.
    `extra` runs more statements in the same transaction. Facts in `backward` get backward numbers and reach no reader.
    """

    family: str
    shard: int
    key: Hashable
    facts: Sequence[tuple[Stream[Any], Fact]]
    backward: Sequence[tuple[Stream[Any], Fact]] = ()
    extra: Extra | None = None
    is_current: Callable[[], bool] | None = None
    on_committed: Callable[[], None] | None = None
    waiter: "Deferred[None]" = field(default_factory=Deferred)


ShardKey = tuple[str, int]
Moves = dict[ShardKey, tuple[Held, int, int]]


class Committer:
    """The one pipeline from appends to the database, for all shards that this process owns."""

    def __init__(self, database: Transactions, bus: Bus, holdings: Sequence[Holdings]) -> None:
        self._database = database
        self._bus = bus
        self._holdings = {holding.family.name: holding for holding in holdings}
        self._storages: dict[str, Storage[Any]] = {}
        self._queue: deque[Append] = deque()
        self._is_busy = False
        self._idle_waiters: list[Deferred[None]] = []
        self.on_fence_broken: Callable[[ShardKey], None] = lambda shard: None
        self.batches = 0
        self.appends = 0

    def register(self, storage: Storage[Any]) -> None:
        """Say how a stream's facts are stored."""
        self._storages[storage.stream.name] = storage

    def submit(self, append: Append) -> "Deferred[None]":
        """Queue an append; the Deferred fires after its commit. Raises NotOwned at once for a shard of others."""
        _ = self._holdings[append.family][append.shard]
        self._queue.append(append)
        self._start()
        return append.waiter

    def waiting(self) -> int:
        """How many appends wait for the next batch."""
        return len(self._queue)

    def idle(self) -> "Deferred[None]":
        """Fires when everything that was queued has been committed or has failed."""
        waiter: Deferred[None] = Deferred()
        if self._is_busy or self._queue:
            self._idle_waiters.append(waiter)
        else:
            waiter.callback(None)
        return waiter

    def _start(self) -> None:
        if self._is_busy or not self._queue:
            return
        batch: list[Append] = []
        facts = 0
        while self._queue and facts < BATCH_FACTS:
            append = self._queue.popleft()
            if append.is_current is not None and not append.is_current():
                self._fail(append, Dropped())
                continue
            batch.append(append)
            facts += len(append.facts) + len(append.backward)
        self._is_busy = True
        self._commit([batch] if batch else [])

    def _commit(self, groups: list[list[Append]]) -> None:
        """Commit the groups one after the other, each in a transaction of its own."""
        if not groups:
            self._finish()
            return
        group, rest = groups[0], groups[1:]
        try:
            moves = self._number(group)
        except NotOwned as error:
            for append in group:
                self._fail(append, error)
            self._commit(rest)
            return

        def done(_: None) -> None:
            self._succeed(group, moves)
            self._commit(rest)

        def failed(error: BaseException) -> None:
            self._doubt(group, moves, error, rest)

        self._database.commit(lambda transaction: self._store(transaction, group, moves), done, failed)

    def _number(self, group: Sequence[Append]) -> Moves:
        """Give every fact the number it will have if the fence lets us pass."""
        moves: Moves = {}
        for append in group:
            key = (append.family, append.shard)
            held = self._holdings[append.family][append.shard]
            _, forward, backward = moves.get(key, (held, held.forward, held.backward))
            for _, fact in append.facts:
                forward += 1
                fact.number = pack(append.shard, forward)
            for _, fact in append.backward:
                backward += 1
                fact.number = pack_backward(append.shard, backward)
            moves[key] = (held, forward, backward)
        return moves

    def _store(self, transaction: Transaction, group: Sequence[Append], moves: Moves) -> None:
        """In the log's lane: fence, extras, then each stream's facts of the whole group at once."""
        fenced = [
            (family, shard, held.epoch, held.forward, held.backward, forward, backward, LEASE_MS)
            for (family, shard), (held, forward, backward) in sorted(moves.items(), key=_shard_order)
        ]
        if sql.fence(transaction, fenced) != len(fenced):
            raise FenceBroken()
        by_stream: dict[str, list[Fact]] = {}
        for append in group:
            if append.extra is not None:
                append.extra(transaction)
            for stream, fact in (*append.facts, *append.backward):
                by_stream.setdefault(stream.name, []).append(fact)
        for name in sorted(by_stream):
            self._storages[name].store(transaction, by_stream[name])

    def _succeed(self, group: Sequence[Append], moves: Moves) -> None:
        self.batches += 1
        self.appends += len(group)
        frames: dict[ShardKey, list[tuple[str, Fact]]] = {key: [] for key in moves}
        for append in group:
            facts = frames[append.family, append.shard]
            facts.extend((stream.name, fact) for stream, fact in append.facts)
        for (family, shard), (held, forward, backward) in moves.items():
            first, held.forward, held.backward = held.forward + 1, forward, backward
            self._bus.publish(Frame(family, shard, held.epoch, first, forward, tuple(frames[family, shard])))
        for append in group:
            if append.on_committed is not None:
                append.on_committed()
        for append in group:
            if not append.waiter.called:
                append.waiter.callback(None)

    def _doubt(self, group: list[Append], moves: Moves, error: BaseException, rest: list[list[Append]]) -> None:
        """A transaction failed. Look whether it happened all the same; if not, split it or give up."""
        if isinstance(error, FenceBroken):
            self._split(group, moves, error, rest)
            return

        def looked(committed: dict[str, list[int]]) -> None:
            has_moved = any(forward != held.forward for held, forward, _ in moves.values())
            if has_moved and all(committed[name][shard] == moves[name, shard][1] for name, shard in moves):
                self._succeed(group, moves)
                self._commit(rest)
                return
            self._split(group, moves, error, rest)

        def blind(second: BaseException) -> None:
            logger.error("the database does not answer: %s", second)
            self._split(group, moves, error, rest)

        self._database.commit(sql.all_positions, looked, blind)

    def _split(self, group: list[Append], moves: Moves, error: BaseException, rest: list[list[Append]]) -> None:
        parts = _parts(group)
        if len(parts) > 1:
            logger.warning("a batch of %d failed (%s); trying its %d parts", len(group), error, len(parts))
            self._commit([*parts, *rest])
            return
        logger.error("could not store for %s: %s", group[0].key, error, exc_info=error)
        if isinstance(error, FenceBroken):
            for key in moves:
                self._holdings[key[0]].held.pop(key[1], None)
                self.on_fence_broken(key)
        for append in group:
            self._fail(append, error)
        self._commit(rest)

    def _finish(self) -> None:
        self._is_busy = False
        if self._queue:
            self._start()
            return
        waiters, self._idle_waiters = self._idle_waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _fail(self, append: Append, error: BaseException) -> None:
        if not append.waiter.called:
            append.waiter.errback(error)


def _shard_order(item: tuple[ShardKey, Any]) -> ShardKey:
    return item[0]


def _parts(group: Sequence[Append]) -> list[list[Append]]:
    """By shard if there are several, else by key."""
    by_shard: dict[Hashable, list[Append]] = {}
    for append in group:
        by_shard.setdefault((append.family, append.shard), []).append(append)
    if len(by_shard) > 1:
        return list(by_shard.values())
    by_key: dict[Hashable, list[Append]] = {}
    for append in group:
        by_key.setdefault(append.key, []).append(append)
    return list(by_key.values())
