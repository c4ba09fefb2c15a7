"""How busy the reactor is: the share of time that it works rather than waits, and how long its turns take.

The reactor waits in its poller; what lies between two waits is a turn. A turn that takes long delays everybody.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from synapse_like.toolkit.metrics.declaring import counter, histogram
from synapse_like.toolkit.metrics.registry import Metrics

BUSY: Final = counter("loop_busy_seconds", "Time that the reactor worked; its rate is the share of one core.")
TICKS: Final = histogram(
    "loop_tick_seconds",
    "How long the turns of the reactor took.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)

METRICS: Final = (BUSY, TICKS)


def watch_loop(metrics: Metrics, reactor: Any) -> Callable[[], None]:
    """Measure a reactor from now on; what comes back ends it. Nothing is measured where its waiting cannot be seen."""
    for holder, name, method in _places(reactor):
        waits_in = getattr(holder, name, None)
        if waits_in is not None and hasattr(waits_in, method):
            setattr(holder, name, _Timed(waits_in, method, _Turns(metrics)))
            return partial(setattr, holder, name, waits_in)
    return lambda: None


def _places(reactor: Any) -> list[tuple[Any, str, str]]:
    """Where the reactors of Twisted keep what they wait in: (object, attribute, method)."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    return [(reactor, "_poller", "poll"), (loop, "_selector", "select")]


class _Turns:
    """Turns, measured."""

    def __init__(self, metrics: Metrics) -> None:
        self._busy = metrics.tally(BUSY)
        self._observe = metrics.distribution(TICKS).observe
        self._began = time.perf_counter()

    def wait(self, wait: Callable[..., Any], arguments: Any) -> Any:
        """A turn ends here; the next begins when the waiting ends."""
        took = time.perf_counter() - self._began
        self._busy.value += took
        self._observe(took)
        found = wait(*arguments)
        self._began = time.perf_counter()
        return found


class _Timed:
    """A poller whose waiting is measured; all else is the poller's own."""

    def __init__(self, poller: Any, method: str, turns: _Turns) -> None:
        self._poller = poller
        wait = getattr(poller, method)
        setattr(self, method, lambda *arguments: turns.wait(wait, arguments))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)
