"""The database as the rest of the house sees it: awaitable reads and writes, and the lane of the log.

Reads run in read-only snapshots; small writes in transactions of their own; the log's group commit has its own lane. On
SQLite both kinds of writes share one thread, as the engine has one writer.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from synapse_like.toolkit.db.lanes import Lane
from synapse_like.toolkit.db.metering import LaneMeters
from synapse_like.toolkit.db.transaction import Engine, Transaction

T = TypeVar("T")


class ThreadCalls(Protocol):
    """The part of a Twisted reactor that threads may call."""

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:  # noqa: N802
        """Run a function on the reactor's thread soon."""
        ...


class Database:
    """Lanes over one engine. `observers` hear the text of every statement (query counts, metrics)."""

    def __init__(self, engine: Engine, reactor: ThreadCalls, *, readers: int = 4, writers: int = 2) -> None:
        self.engine = engine
        self.observers: list[Callable[[str], None]] = []
        self._reactor = reactor
        self._reads = Lane(engine, "read", readers, self._observe, is_read_only=True)
        writers = 1 if engine.has_one_writer else writers
        self._writes = Lane(engine, "write", writers, self._observe, is_read_only=False)
        self._log = self._writes if engine.has_one_writer else self._new_log_lane()

    def read(self, function: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run `function` in one read-only snapshot (REPEATABLE READ)."""
        return self._submit(self._reads, function)

    def write(self, function: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run `function` in a short transaction of its own, for what no reader of a stream sees."""
        return self._submit(self._writes, function)

    def commit(
        self,
        function: Callable[[Transaction], T],
        on_done: Callable[[T], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """Run a group commit in the log's lane; one callback comes back on the reactor's thread."""
        call = self._reactor.callFromThread
        self._log.submit(function, lambda result: call(on_done, result), lambda error: call(on_failed, error))

    @property
    def lane_names(self) -> tuple[str, ...]:
        """The lanes: read, write, and the log's if it is another one."""
        return tuple(self._lanes())

    def waiting(self, lane: str) -> int:
        """How many transactions wait in a lane."""
        return self._lanes()[lane].waiting()

    def measure(self, meters: Callable[[str], LaneMeters]) -> None:
        """Count what the lanes do, by the meters of each lane's name."""
        for name, lane in self._lanes().items():
            lane.meters = meters(name)

    def close(self) -> None:
        """Finish what is queued, close connections. Blocks; call it from the reactor's thread at the very end."""
        for lane in self._lanes().values():
            lane.close()
        self.engine.close()

    def _new_log_lane(self) -> Lane:
        return Lane(self.engine, "log", 1, self._observe, is_read_only=False)

    def _lanes(self) -> dict[str, Lane]:
        lanes = {"read": self._reads, "write": self._writes}
        return lanes if self._log is self._writes else {**lanes, "log": self._log}

    def _submit(self, lane: Lane, function: Callable[[Transaction], T]) -> "Deferred[T]":
        waiter: Deferred[T] = Deferred()
        call = self._reactor.callFromThread
        lane.submit(
            function,
            lambda result: call(_succeed, waiter, result),
            lambda error: call(_fail, waiter, error),
        )
        return waiter

    def _observe(self, sql: str) -> None:
        for observer in self.observers:
            observer(sql)


def _succeed(waiter: "Deferred[T]", result: T) -> None:
    if not waiter.called:
        waiter.callback(result)


def _fail(waiter: "Deferred[T]", error: BaseException) -> None:
    if not waiter.called:
        waiter.errback(error)
