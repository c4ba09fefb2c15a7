"""Group commit: what has gathered is stored by one transaction, fenced, and only then published and answered.

While a transaction is under way new appends queue up, so the cost per append falls as load rises. A batch that fails
is split: by shard, then by key, then one by one; only the guilty fails. After a commit of unknown outcome the logs in
the database tell whether it happened; if the database cannot be asked, that is settled before the next commit.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from replication import sql
from replication.batch import Append, Batch, Dropped, Extra, ShardKey, parts
from replication.bus import Bus, Frame
from replication.ports import Meters, OutcomeUnknown, Transactions, Unavailable, Unmetered
from replication.shards import FenceBroken, Holdings, NotOwned
from replication.streams import Storage

__all__ = ["Append", "Committer", "Dropped", "Extra"]

logger = logging.getLogger(__name__)

BATCH_FACTS = 500


class Committer:
    """The one pipeline from appends to the database, for all shards that this process owns.

    `on_fence_broken` hears of a shard whose memory is not to be trusted any more: it was lost, or holds more than we
    knew. It is called before the appends that were built on that memory fail.
    """

    def __init__(
        self, database: Transactions, bus: Bus, holdings: Sequence[Holdings], meters: Meters | None = None
    ) -> None:
        self._database = database
        self._bus = bus
        self._meters = meters if meters is not None else Unmetered()
        self._holdings = {holding.family.name: holding for holding in holdings}
        self._storages: dict[str, Storage[Any]] = {}
        self._queue: deque[Append] = deque()
        self._groups: deque[Sequence[Append]] = deque()
        self._unsettled: set[ShardKey] = set()
        self._is_busy = False
        self._gathering = 0
        self._idle_waiters: list[Deferred[None]] = []
        self.on_fence_broken: Callable[[ShardKey], None] = lambda shard: None
        self.batches = 0
        self.appends = 0

    def register(self, storage: Storage[Any]) -> None:
        """Say how a stream's facts are stored."""
        self._storages[storage.stream.name] = storage

    def submit(self, append: Append) -> "Deferred[None]":
        """Queue an append; the Deferred fires after its commit. Raises NotOwned at once for a shard of others."""
        self._holdings[append.family].check(append.shard)
        return self._enqueue(append)

    def check(self, family: str, shard: int) -> None:
        """Raise NotOwned if the shard takes no work in here."""
        self._holdings[family].check(shard)

    def owns(self, family: str, shard: int) -> bool:
        """Whether the shard takes work in here."""
        return self._holdings[family].owns(shard)

    def ours(self, family: str) -> list[int]:
        """The shards of a family that take work in here."""
        return sorted(self._holdings[family].ours())

    def ends(self, family: str) -> list[tuple[int, int]]:
        """(shard, forward counter) of the logs of a family that this process holds."""
        return [(shard, held.forward) for shard, held in self._holdings[family].held.items()]

    def drained(self, family: str, shard: int) -> "Deferred[None]":
        """Fires when everything that was queued for a shard so far is stored or has failed."""
        return self._enqueue(Append(family, shard, ("drain", family, shard), ()))

    def _enqueue(self, append: Append) -> "Deferred[None]":
        append.submitted_s = self._meters.seconds()
        self._queue.append(append)
        if not self._is_busy and not self._gathering:
            self._advance()
        return append.waiter

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """What is submitted within (there is nothing to wait for there) is stored together, as far as it fits."""
        self._gathering += 1
        try:
            yield
        finally:
            self._gathering -= 1
            if self._queue and not self._is_busy and not self._gathering:
                self._advance()

    def waiting(self) -> int:
        """How many appends wait for the next batch."""
        return len(self._queue)

    def oldest_s(self) -> float:
        """For how many seconds the oldest of those has waited."""
        return self._meters.seconds() - self._queue[0].submitted_s if self._queue else 0.0

    def idle(self) -> "Deferred[None]":
        """Fires when everything that was queued has been committed or has failed."""
        waiter: Deferred[None] = Deferred()
        if self._is_busy or self._queue:
            self._idle_waiters.append(waiter)
        else:
            waiter.callback(None)
        return waiter

    def announce(self) -> None:
        """Tell readers again how far each of our logs goes, so that who missed the last frame notices."""
        for name, holdings in self._holdings.items():
            if not holdings.family.is_log:
                continue
            for shard, held in holdings.held.items():
                self._bus.publish(Frame(name, shard, held.epoch, held.forward + 1, held.forward, ()))

    def _advance(self) -> None:
        """Send the next group to the database; when all are through, take what has queued up meanwhile."""
        self._is_busy = True
        while self._groups or self._queue:
            if not self._groups:
                self._groups.append(self._gathered())
            if self._unsettled:
                keys = sorted(self._unsettled)
                self._database.commit(partial(sql.logs, keys=keys), self._settled, self._unavailable)
                return
            if (batch := self._numbered(self._groups.popleft())) is not None:
                batch.began_s = self._meters.seconds()
                self._database.commit(batch.store, partial(self._stored, batch), partial(self._failed, batch))
                return
        self._is_busy = False
        waiters, self._idle_waiters = self._idle_waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _gathered(self) -> list[Append]:
        gathered: list[Append] = []
        facts = 0
        while self._queue and facts < BATCH_FACTS:
            append = self._queue.popleft()
            gathered.append(append)
            facts += max(1, len(append.facts) + len(append.backward))
        return gathered

    def _numbered(self, group: Sequence[Append]) -> Batch | None:
        """The group as a batch, without what no longer stands; None if nothing is left."""
        standing = [append for append in group if self._stands(append)]
        if not standing:
            return None
        try:
            return Batch(standing, self._holdings, self._storages)
        except NotOwned as error:
            if len(several := parts(standing)) > 1:
                self._groups.extendleft(reversed(several))
            else:
                self._fail(standing, error)
            return None

    def _stands(self, append: Append) -> bool:
        try:
            if append.is_current is None or append.is_current():
                return True
        except Exception as error:
            self._fail([append], error)
            return False
        self._fail([append], Dropped())
        return False

    def _stored(self, batch: Batch, _: None = None) -> None:
        self.batches += 1
        self.appends += len(batch.appends)
        now_s = self._meters.seconds()
        waits_s = [now_s - append.submitted_s for append in batch.appends]
        self._meters.stored(waits_s, sum(len(append.facts) for append in batch.appends), now_s - batch.began_s)
        for frame in batch.frames():
            self._bus.publish(frame)
        for append in batch.appends:
            if append.on_committed is not None:
                _guarded(append.on_committed)
        for append in batch.appends:
            if not append.waiter.called:
                append.waiter.callback(None)
            _ended(append)
        self._advance()

    def _failed(self, batch: Batch, error: BaseException) -> None:
        if isinstance(error, Unavailable):
            self._unavailable(error, batch.appends)
        elif isinstance(error, OutcomeUnknown):
            self._meters.not_stored("unknown")
            looked, blind = partial(self._looked, batch, error), partial(self._blind, batch, error)
            self._database.commit(partial(sql.logs, keys=sorted(batch.moves)), looked, blind)
        else:
            self._split(batch, error)

    def _looked(self, batch: Batch, error: BaseException, logs: Mapping[ShardKey, sql.Log]) -> None:
        """The database tells what became of a doubtful commit."""
        if not batch.leaves_a_trace():
            self._fail(batch.appends, error)
            self._advance()
        elif batch.is_stored(logs):
            self._stored(batch)
        else:
            self._split(batch, error)

    def _blind(self, batch: Batch, error: BaseException, second: BaseException) -> None:
        logger.error("whether a commit happened cannot be found out yet: %s", second)
        self._unsettled.update(batch.moves)
        self._unavailable(error, batch.appends)

    def _unavailable(self, error: BaseException, appends: Sequence[Append] = ()) -> None:
        """The database is away: nobody's fault, and nothing that more attempts at once would mend."""
        self._meters.not_stored("unavailable")
        logger.error("the database is away: %s", error)
        groups, self._groups = self._groups, deque()
        for group in (appends, *groups):
            self._fail(group, error)
        self._advance()

    def _settled(self, logs: Mapping[ShardKey, sql.Log]) -> None:
        """After an outage: believe the database. Where it holds more than we knew, our memory is worth nothing."""
        for key in self._unsettled:
            held = self._holdings[key[0]].held.get(key[1])
            log = logs.get(key)
            if held is None or log == (held.epoch, held.forward, held.backward):
                continue
            if log is None or log[0] != held.epoch:
                self._lose(key)
                continue
            _, held.forward, held.backward = log
            _guarded(partial(self.on_fence_broken, key))
            self._bus.publish(Frame(*key, held.epoch, held.forward + 1, held.forward, ()))
        self._unsettled.clear()
        self._advance()

    def _split(self, batch: Batch, error: BaseException) -> None:
        if len(several := parts(batch.appends)) > 1 and not (isinstance(error, FenceBroken) and len(batch.moves) == 1):
            self._meters.not_stored("split")
            logger.warning("a batch of %d failed (%s); trying its %d parts", len(batch.appends), error, len(several))
            self._groups.extendleft(reversed(several))
        else:
            self._meters.not_stored("refused")
            trace = None if isinstance(error, (OutcomeUnknown, FenceBroken)) else error  # nobody's fault
            logger.error("could not store for %s: %s", batch.appends[0].key, error, exc_info=trace)
            if isinstance(error, FenceBroken):
                for key in batch.moves:
                    self._lose(key)
                self._move(batch.appends)
            else:
                self._fail(batch.appends, error)
        self._advance()

    def _lose(self, key: ShardKey) -> None:
        self._holdings[key[0]].held.pop(key[1], None)
        self._meters.lost(key[0])
        _guarded(partial(self.on_fence_broken, key))

    def _move(self, appends: Sequence[Append]) -> None:
        """Nothing of these was stored, and the shard is another's by now: who waits may ask there."""
        for append in appends:
            self._fail([append], NotOwned(append.family, append.shard))

    def _fail(self, appends: Sequence[Append], error: BaseException) -> None:
        for append in appends:
            if not append.waiter.called:
                append.waiter.errback(error)
            _ended(append)


def _ended(append: Append) -> None:
    if append.on_ended is not None:
        _guarded(append.on_ended)


def _guarded(call: Callable[[], None]) -> None:
    """Call what belongs to others: that it raises must not stop the pipeline."""
    try:
        call()
    except Exception:
        logger.exception("%r failed", call)
