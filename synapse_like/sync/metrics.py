"""What is counted about /sync: who waits, and what answers were made from."""

from typing import Final

from synapse_like.sync.notifier import Notifier
from synapse_like.toolkit.metrics import Metrics, counter, gauge, histogram, seconds

_SOURCE: Final = {"source": ("memory", "database")}

WAITING: Final = gauge("sync_waiting", "Requests that wait for news, or are looking for them: long polls.")
EMPTY: Final = counter("sync_answers_at_once", "Questions to which the answer was known to be empty.")
SECONDS: Final = histogram(
    "sync_answer_seconds",
    "How long news took to be put together, by where they came from.",
    _SOURCE,
)

METRICS: Final = (WAITING, EMPTY, SECONDS)


class SyncMeters:
    """The series."""

    def __init__(self, metrics: Metrics, notifier: Notifier) -> None:
        metrics.sample(WAITING, lambda: notifier.polls)
        self.empty = metrics.tally(EMPTY)
        self._seconds = {source: metrics.distribution(SECONDS, source=source) for source in _SOURCE["source"]}

    def answered(self, source: str, began: float) -> None:
        """News were put together."""
        self._seconds[source].observe(seconds() - began)
