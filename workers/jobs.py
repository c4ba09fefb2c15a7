"""Runs what features want done every now and then. A job that fails is logged and runs again at its time."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from synapse_like.toolkit.clock import Clock, Wait
from synapse_like.toolkit.metrics import Metrics, seconds
from synapse_like.toolkit.metrics.jobs import FAILURES, SECONDS
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

Job = tuple[str, float, Callable[[], Any]]


class Jobs:
    """Every job by itself: its next run is counted from the end of the last."""

    def __init__(self, clock: Clock, jobs: Sequence[Job], metrics: Metrics) -> None:
        self._clock = clock
        self._jobs = jobs
        names = [name for name, _, _ in jobs]
        self._failures = metrics.tallies(FAILURES, names)
        self._seconds = {name: metrics.distribution(SECONDS, job=name) for name in names}
        self._waits: dict[str, Wait] = {}
        self._is_running = False

    def start(self) -> None:
        """Begin to count."""
        self._is_running = True
        for job in self._jobs:
            self._plan(job)

    def stop(self) -> None:
        """Start no job any more."""
        self._is_running = False
        for wait in self._waits.values():
            wait.cancel()

    def _plan(self, job: Job) -> None:
        name, pause_s, _ = job
        if self._is_running:
            self._waits[name] = self._clock.call_later(pause_s, lambda: self._run(job))

    def _run(self, job: Job) -> None:
        name, _, function = job
        began = seconds()

        def failed(failure: Any) -> None:
            self._failures[name].add()
            if failure.check(*OUTAGES):
                logger.error("job %s failed, and will run again: %s", name, failure.value)
            else:
                trace = (failure.type, failure.value, failure.getTracebackObject())
                logger.error("job %s failed: %s", name, failure.value, exc_info=trace)

        running: Deferred[Any] = maybeDeferred(lambda: Deferred.fromCoroutine(function()))
        _ = running.addErrback(failed).addCallback(lambda _: self._end(job, began))

    def _end(self, job: Job, began: float) -> None:
        self._seconds[job[0]].observe(seconds() - began)
        self._plan(job)
