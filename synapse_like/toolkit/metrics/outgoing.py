"""What is counted about requests to others: by what they are for and what became of them, never by server."""

import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Final

from synapse_like.toolkit.http.outgoing.pool import OUTCOMES
from synapse_like.toolkit.metrics.declaring import counter, gauge, histogram
from synapse_like.toolkit.metrics.registry import Metrics

_PURPOSES: Final = ("federation", "guarded", "trusted")
_FOR: Final = {"purpose": _PURPOSES}

REQUESTS: Final = counter(
    "outgoing_requests",
    "Requests to other servers, by outcome. `guarded`: at addresses that others chose; `trusted`: that we chose.",
    {**_FOR, "outcome": OUTCOMES},
)
SECONDS: Final = histogram("outgoing_request_seconds", "How long they took, connecting included.", _FOR)
IN_FLIGHT: Final = gauge("outgoing_requests_in_flight", "Those under way.", _FOR)

METRICS: Final = (REQUESTS, SECONDS, IN_FLIGHT)


class OutgoingMetrics:
    """Counts the requests of one purpose."""

    def __init__(self, metrics: Metrics, purpose: str) -> None:
        requests = metrics.tallies(REQUESTS, list(product(_PURPOSES, OUTCOMES)))
        self._outcomes = {outcome: requests[purpose, outcome] for outcome in OUTCOMES}
        self._seconds = metrics.distribution(SECONDS, purpose=purpose)
        self._in_flight = metrics.tally(IN_FLIGHT, purpose=purpose)

    def begin(self) -> Callable[[str], None]:
        """A request begins; what comes back is called at its end with the outcome."""
        self._in_flight.value += 1
        return partial(self._end, time.perf_counter())

    def _end(self, began: float, outcome: str) -> None:
        self._in_flight.value -= 1
        self._seconds.observe(time.perf_counter() - began)
        self._outcomes.get(outcome, self._outcomes["unusable"]).value += 1
