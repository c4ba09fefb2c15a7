"""What is counted about the database, by lane: waiting, transactions, repeats, errors.

The threads of the lanes call this.
"""

import time
from functools import partial
from typing import Final

from synapse_like.toolkit.db.database import Database
from synapse_like.toolkit.metrics.declaring import counter, gauge, histogram
from synapse_like.toolkit.metrics.registry import Metrics

LANES: Final = ("read", "write", "log")
_LANE: Final = {"lane": LANES}
_ERRORS: Final = ("unavailable", "unknown", "integrity", "statement")

QUEUE: Final = gauge("database_queue", "Transactions that wait for a thread.", _LANE)
QUEUE_SECONDS: Final = histogram("database_queue_seconds", "How long a transaction waited for a thread.", _LANE)
SECONDS: Final = histogram("database_transaction_seconds", "How long a transaction took, repeats included.", _LANE)
REPEATS: Final = counter("database_repeats", "Attempts that failed and were made again.", _LANE)
ERRORS: Final = counter(
    "database_errors",
    "Transactions that failed: database away, outcome of a commit unknown, a key that is taken, a wrong statement.",
    {**_LANE, "kind": _ERRORS},
)

METRICS: Final = (QUEUE, QUEUE_SECONDS, SECONDS, REPEATS, ERRORS)


class LaneMetrics:
    """The children of one lane."""

    seconds = staticmethod(time.perf_counter)

    def __init__(self, metrics: Metrics, lane: str) -> None:
        self._queue_seconds = metrics.histogram(QUEUE_SECONDS, lane=lane)
        self._seconds = metrics.histogram(SECONDS, lane=lane)
        self._repeats = metrics.counter(REPEATS, lane=lane)
        self._errors = {kind: metrics.counter(ERRORS, lane=lane, kind=kind) for kind in _ERRORS}

    def began(self, waited_s: float) -> None:
        """A thread has taken a transaction up."""
        self._queue_seconds.observe(waited_s)

    def ended(self, seconds: float) -> None:
        """It has been committed, or has failed."""
        self._seconds.observe(seconds)

    def repeats(self) -> None:
        """An attempt failed and is made again."""
        self._repeats.inc()

    def failed(self, kind: str) -> None:
        """It has failed for good."""
        self._errors[kind].inc()


def watch_database(metrics: Metrics, database: Database) -> None:
    """Count what a database's lanes do."""
    database.measure(partial(LaneMetrics, metrics))
    for lane in database.lane_names:
        metrics.sample(QUEUE, partial(database.waiting, lane), lane=lane)
