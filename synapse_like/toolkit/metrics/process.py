"""What is known of the process: version, kind and name, the time that garbage collection took.

Memory, CPU and files of the process (``process_...``) and Python's own (``python_...``) come from prometheus-client.
"""

import gc
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from platform import python_version
from typing import Any, Final

from synapse_like import __version__
from synapse_like.toolkit.metrics.declaring import counter, gauge
from synapse_like.toolkit.metrics.registry import Metrics

_GENERATIONS: Final = ("0", "1", "2")

INFO: Final = gauge(
    "process_info",
    "Always 1; its labels say what this process is.",
    {
        "kind": "the kinds of workers",
        "name": "one for each process",
        "version": "one",
        "python": "one",
        "twisted": "one",
    },
)
GC_SECONDS: Final = counter("gc_seconds", "Time that Python's garbage collector took.", {"generation": _GENERATIONS})

METRICS: Final = (INFO, GC_SECONDS)


def describe_process(metrics: Metrics, kind: str, name: str) -> None:
    """Say what this process is."""
    versions = {"version": __version__, "python": python_version(), "twisted": version("twisted")}
    metrics.sample(INFO, lambda: 1, kind=kind, name=name, **versions)


def watch_gc(metrics: Metrics) -> Callable[[], None]:
    """Time garbage collections from now on; what comes back ends it.

    Plain numbers: a collection may begin while this thread holds the lock of a counter.
    """
    taken = [0.0 for _ in _GENERATIONS]
    began = 0.0

    def on_gc(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            taken[info["generation"]] += time.perf_counter() - began

    for index, generation in enumerate(_GENERATIONS):
        metrics.sample(GC_SECONDS, partial(taken.__getitem__, index), generation=generation)
    gc.callbacks.append(on_gc)
    return lambda: gc.callbacks.remove(on_gc)
