"""A lane: one thread with one connection that runs one transaction after the other.

Transactions are plain functions. A failed attempt that left nothing behind is repeated with growing pauses; the thread
owns its connection and replaces it when it breaks. Of a lane's idle threads the one works on that worked last: what its
connection knows (plans, caches) is still warm, and nobody else needs to learn it.
"""

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from synapse_like.toolkit.db.errors import CommitUnknown, DatabaseUnavailable, Repeatable
from synapse_like.toolkit.db.metering import LaneMeters, Unmetered, kind_of
from synapse_like.toolkit.db.transaction import Connection, Engine, Observer, Transaction

T = TypeVar("T")
Work = Callable[[], None]
ATTEMPTS = 6
FIRST_PAUSE_S = 0.02


class Lane:
    """A queue of transactions and the thread(s) that run them, each thread with its own connection."""

    def __init__(self, engine: Engine, name: str, threads: int, observer: Observer, *, is_read_only: bool) -> None:
        self._engine = engine
        self._observer = observer
        self._is_read_only = is_read_only
        self.meters: LaneMeters = Unmetered()
        self._lock = threading.Lock()
        self._queue: deque[_Task | None] = deque()
        self._idle: list[SimpleQueue[_Task | None]] = []
        """What idle threads listen to; the last one has worked last."""
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"db-{name}-{index}", daemon=True) for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        transaction: Callable[[Transaction], T],
        on_done: Callable[[T], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """Run `transaction` in the lane; exactly one of the callbacks is called, in the lane's thread."""

        meters = self.meters
        submitted_s = meters.seconds()

        def work(worker: "_Worker") -> None:
            began_s = meters.seconds()
            meters.began(began_s - submitted_s)
            try:
                result = worker.transact(transaction, meters)
            except BaseException as error:
                meters.ended(meters.seconds() - began_s)
                if (kind := kind_of(error)) is not None:
                    meters.failed(kind)
                on_failed(error)
            else:
                meters.ended(meters.seconds() - began_s)
                on_done(result)

        self._give(work)

    def waiting(self) -> int:
        """How many transactions wait for a thread."""
        return len(self._queue)

    def close(self) -> None:
        """Finish what is queued, then end the threads."""
        self._stopping.set()
        for _ in self._threads:
            self._give(None)
        for thread in self._threads:
            thread.join()

    def _give(self, task: "_Task | None") -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().put(task)
            else:
                self._queue.append(task)

    def _run(self) -> None:
        worker = _Worker(self._engine, self._observer, self._stopping, is_read_only=self._is_read_only)
        inbox: SimpleQueue[_Task | None] = SimpleQueue()
        while (task := self._next(inbox)) is not None:
            task(worker)
        worker.close()

    def _next(self, inbox: "SimpleQueue[_Task | None]") -> "_Task | None":
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._idle.append(inbox)
        return inbox.get()


class _Worker:
    """One thread's connection, and the rules of repeating."""

    def __init__(self, engine: Engine, observer: Observer, stopping: threading.Event, *, is_read_only: bool) -> None:
        self._engine = engine
        self._observer = observer
        self._stopping = stopping
        self._is_read_only = is_read_only
        self._connection: Connection | None = None

    def transact(self, function: Callable[[Transaction], T], meters: LaneMeters) -> T:
        """Run, commit, and repeat while that is safe. Raises what `function` raised, or DatabaseUnavailable."""
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(function)
            except CommitUnknown:
                self._drop_connection()
                if not self._is_read_only or attempt == ATTEMPTS:
                    raise
            except DatabaseUnavailable as error:
                self._drop_connection()
                if attempt == ATTEMPTS or (not isinstance(error, Repeatable) and attempt > 3):
                    raise
            meters.repeats()
            self._stopping.wait(pause_s)
            pause_s *= 3
        raise DatabaseUnavailable("out of attempts")

    def _attempt(self, function: Callable[[Transaction], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect(self._observer)
        transaction = self._connection.begin(is_read_only=self._is_read_only)
        try:
            result = function(transaction)
            transaction.commit()
        except BaseException:
            if not transaction.rollback():
                self._drop_connection()
            raise
        return result

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """End of the thread."""
        self._drop_connection()


_Task = Callable[[_Worker], None]


def unobserved(_: Any) -> None:
    """An observer that does not care."""
