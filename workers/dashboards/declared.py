"""Every metric that a process can show, by subject. Features add theirs in `FEATURE.metrics`."""

from collections.abc import Mapping, Sequence
from typing import Final

from synapse_like.catalogue import FEATURES
from synapse_like.rooms import metrics as rooms
from synapse_like.sync import metrics as sync
from synapse_like.toolkit.http.endpoint import Timeout
from synapse_like.toolkit.metrics import Metric, caches, database, http, jobs, loop, outgoing, process, replication
from workers.map import endpoints

SUBJECTS: Final[Mapping[str, Sequence[Metric]]] = {
    "HTTP": http.METRICS,
    "Replication": replication.FRAMES,
    "Commits": replication.COMMITS,
    "Leases": replication.LEASES,
    "Calls between processes": replication.WORKER_CALLS,
    "Database": database.METRICS,
    "Requests to others": outgoing.METRICS,
    "Jobs": jobs.METRICS,
    "Rooms": rooms.METRICS,
    "Sync": sync.METRICS,
    "Caches": caches.METRICS,
    "Process": (*process.METRICS, *loop.METRICS),
    **{f"Feature {feature.name}": feature.metrics for feature in FEATURES if feature.metrics},
}

LIBRARY: Final = frozenset(
    {
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
        "python_info",
        "python_gc_objects_collected_total",
        "python_gc_objects_uncollectable_total",
        "python_gc_collections_total",
    }
)
"""Series that prometheus-client itself shows of a process on Linux."""


def metrics() -> list[Metric]:
    """All of them."""
    return [metric for subject in SUBJECTS.values() for metric in subject]


def series_names() -> frozenset[str]:
    """The names of all series that a process shows."""
    return LIBRARY.union(name for metric in metrics() for name in metric.sample_names)


def long_polls() -> list[str]:
    """Names of the endpoints whose latency is mostly waiting."""
    return sorted({endpoint.name for _, endpoint in endpoints() if endpoint.timeout is Timeout.LONG_POLL})
