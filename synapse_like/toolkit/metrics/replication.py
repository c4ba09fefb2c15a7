"""What is counted about the logs: commits, frames, gaps, leases, calls. `ReplicationMeters` fits replication's port."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Final

from synapse_like.toolkit.metrics.declaring import SIZES, Metric, counter, gauge, histogram
from synapse_like.toolkit.metrics.registry import Metrics
from synapse_like.toolkit.metrics.tallies import Distribution

_FAMILY: Final = {"family": "the families of shards"}
_KIND: Final = ("facts", "ephemeral", "position")
_METHOD: Final = {"method": "the methods in the code that are called between processes"}
_OUTCOMES: Final = ("answered", "raised", "moved", "deadline", "cancelled", "lost", "full")

QUEUE: Final = gauge("commit_queue_appends", "Appends that wait for the next transaction.")
QUEUE_AGE: Final = gauge("commit_queue_age_seconds", "For how long the oldest of them has waited.")
BATCH_APPENDS: Final = histogram("commit_batch_appends", "Appends stored by one transaction.", buckets=SIZES)
BATCH_SECONDS: Final = histogram("commit_batch_seconds", "From the start of a group commit to its end.")
WAIT_SECONDS: Final = histogram("commit_wait_seconds", "From the submission of an append to its commit.")
FACTS_STORED: Final = counter("commit_facts", "Facts stored.")
NOT_STORED: Final = counter(
    "commit_failures",
    "Batches that were not stored at once: split, refused (the guilty part), unavailable database, outcome unknown.",
    {"outcome": ("split", "refused", "unavailable", "unknown")},
)

LAG_ROWS: Final = gauge("replication_lag_rows", "Committed facts that this process has not heard of yet.", _FAMILY)
LAG_SECONDS: Final = gauge("replication_lag_seconds", "For how long this process has been behind.", _FAMILY)
PUBLISHED: Final = counter("replication_frames_published", "Frames sent to the bus.", {**_FAMILY, "kind": _KIND})
HEARD: Final = counter("replication_frames_heard", "Frames that came over the bus.", {**_FAMILY, "kind": _KIND})
FACTS_PUBLISHED: Final = counter(
    "replication_facts_published", "Facts sent to the bus.", {"stream": "the streams in the code"}
)
FACTS_HEARD: Final = counter("replication_facts_heard", "Facts that came over the bus.", _FAMILY)
GAPS: Final = counter("replication_gaps", "Frames that did not follow on what was known.", _FAMILY)
REFILLS: Final = counter(
    "replication_refills", "Gaps refilled from the database.", {**_FAMILY, "outcome": ("done", "failed")}
)
REFILL_SECONDS: Final = histogram("replication_refill_seconds", "How long a refill took.", _FAMILY)

SHARDS: Final = gauge("shards", "Shards that there are; each should have one owner.", _FAMILY)
OWNED: Final = gauge("leases_owned", "Shards that this process owns.", _FAMILY)
LOST: Final = counter("lease_epochs_lost", "Shards that another process had taken without our knowing.", _FAMILY)

CALL_SECONDS: Final = histogram("call_seconds", "Calls to other processes, until their end.", _METHOD)
CALLS_IN_FLIGHT: Final = gauge("calls_in_flight", "Calls to other processes under way.")
CALLS: Final = counter("calls", "Calls to other processes, by outcome.", {"outcome": _OUTCOMES})
SERVED_SECONDS: Final = histogram("served_call_seconds", "Calls of other processes, carried out here.", _METHOD)
SERVED_IN_FLIGHT: Final = gauge("served_calls_in_flight", "Calls of other processes under way here.")
SERVED: Final = counter("served_calls", "Calls of other processes, by outcome.", {"outcome": _OUTCOMES})

COMMITS: Final = (QUEUE, QUEUE_AGE, BATCH_APPENDS, BATCH_SECONDS, WAIT_SECONDS, FACTS_STORED, NOT_STORED)
FRAMES: Final = (
    *(LAG_ROWS, LAG_SECONDS, PUBLISHED, HEARD, FACTS_PUBLISHED, FACTS_HEARD),
    *(GAPS, REFILLS, REFILL_SECONDS),
)
LEASES: Final = (SHARDS, OWNED, LOST)
WORKER_CALLS: Final = (CALL_SECONDS, CALLS_IN_FLIGHT, CALLS, SERVED_SECONDS, SERVED_IN_FLIGHT, SERVED)
METRICS: Final = (*COMMITS, *FRAMES, *LEASES, *WORKER_CALLS)


class ReplicationMeters:
    """Counts what replication tells."""

    def __init__(self, metrics: Metrics, families: Sequence[str]) -> None:
        """Take the names of the families, whose series begin at 0."""
        kinds = list(product(families, _KIND))
        self._batch_appends = metrics.distribution(BATCH_APPENDS)
        self._batch_seconds = metrics.distribution(BATCH_SECONDS)
        self._waits = metrics.distribution(WAIT_SECONDS)
        self._facts = metrics.tally(FACTS_STORED)
        self._failures = metrics.tallies(NOT_STORED)
        self._published = metrics.tallies(PUBLISHED, kinds)
        self._facts_published = metrics.tallies(FACTS_PUBLISHED)
        self._heard = metrics.tallies(HEARD, kinds)
        self._facts_heard = metrics.tallies(FACTS_HEARD, families)
        self._gaps = metrics.tallies(GAPS, families)
        self._refills = metrics.tallies(REFILLS, list(product(families, ("done", "failed"))))
        self._refill_seconds = {family: metrics.distribution(REFILL_SECONDS, family=family) for family in families}
        self._lost = metrics.tallies(LOST, families)
        self._calls = _Calls(metrics, CALLS, CALL_SECONDS, CALLS_IN_FLIGHT)
        self._served = _Calls(metrics, SERVED, SERVED_SECONDS, SERVED_IN_FLIGHT)

    def seconds(self) -> float:
        """A time for measuring."""
        return time.perf_counter()

    def stored(self, waits_s: Sequence[float], facts: int, seconds: float) -> None:
        """A batch was committed."""
        self._batch_appends.observe(len(waits_s))
        self._batch_seconds.observe(seconds)
        self._facts.value += facts
        self._waits.observe_all(waits_s)

    def not_stored(self, outcome: str) -> None:
        """A batch was not."""
        self._failures[outcome].add()

    def lost(self, family: str) -> None:
        """A shard is not ours any more."""
        self._lost[family].add()

    def published(self, family: str, kind: str, streams: Sequence[str]) -> None:
        """A frame went out."""
        self._published[family, kind].value += 1
        for stream in streams:
            self._facts_published[stream].value += 1

    def heard(self, family: str, kind: str, facts: int) -> None:
        """A frame came in."""
        self._heard[family, kind].value += 1
        self._facts_heard[family].value += facts

    def missed(self, family: str) -> None:
        """A gap."""
        self._gaps[family].add()

    def refilled(self, family: str, seconds: float, *, has_failed: bool) -> None:
        """The end of a gap, or not."""
        self._refills[family, "failed" if has_failed else "done"].add()
        self._refill_seconds[family].observe(seconds)

    def calling(self, method: str) -> Callable[[str], None]:
        """A call begins; what comes back is called at its end."""
        return self._calls.begin(method)

    def serving(self, method: str) -> Callable[[str], None]:
        """A call of another process begins here."""
        return self._served.begin(method)


class _Calls:
    """Calls in one direction."""

    def __init__(self, metrics: Metrics, outcomes: Metric, seconds: Metric, in_flight: Metric) -> None:
        self._outcomes = metrics.tallies(outcomes)
        self._in_flight = metrics.tally(in_flight)
        self._seconds: dict[str, Distribution] = {}
        self._bind = partial(metrics.distribution, seconds)

    def begin(self, method: str) -> Callable[[str], None]:
        self._in_flight.value += 1
        seconds = self._seconds.get(method)
        if seconds is None:
            seconds = self._seconds[method] = self._bind(method=method)
        return partial(self._end, seconds, time.perf_counter())

    def _end(self, seconds: Distribution, began: float, outcome: str) -> None:
        self._in_flight.value -= 1
        seconds.observe(time.perf_counter() - began)
        self._outcomes[outcome].add()
