"""The panels of the dashboard, by row: what each shows and in which unit. How they become JSON is in ``grafana``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from synapse_like.rooms.metrics import EVENTS, LIVE_ROOMS
from synapse_like.sync import metrics as sync
from synapse_like.toolkit.metrics import Metric, caches, database, http, jobs, loop, outgoing, process, replication
from synapse_like.toolkit.metrics.declaring import Kind
from workers.dashboards.declared import SUBJECTS, long_polls
from workers.dashboards.queries import CHOSEN, WINDOW, count, level, mean, quantile, rate, top

Unit = Literal["short", "reqps", "s", "bytes", "Bps", "percentunit", "none"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: (query, legend) pairs."""

    title: str
    unit: Unit
    queries: Sequence[tuple[str, str]]
    doc: str = ""
    is_stacked: bool = False
    shape: Literal["timeseries", "stat", "table"] = "timeseries"


_WORK: Final = f'{CHOSEN}, endpoint!~"{"|".join(long_polls())}"'
_FAILED: Final = rate(http.REQUESTS, where=f'{CHOSEN}, status="5xx"')
_FAILING: Final = rate(http.REQUESTS, "endpoint", "status", where=f'{CHOSEN}, status=~"5xx|429"')
_BUSY: Final = rate(loop.BUSY, "instance")
_HITS, _MISSES = rate(caches.HITS, "cache"), rate(caches.MISSES, "cache")
_ENTRIES, _LIMIT = level(caches.ENTRIES, "cache", "instance"), level(caches.LIMIT, "cache", "instance")
_GC: Final = rate(process.GC_SECONDS, "instance", "generation")
_INSTANCE: Final = "{{instance}}"
_BOTH: Final = "{{instance}} {{family}}"


def _quantiles(metric: Metric, *, where: str = CHOSEN) -> list[tuple[str, str]]:
    return [(quantile(part, metric, where=where), f"p{part * 100:g}") for part in (0.5, 0.95, 0.99)]


def _of_process(name: str, *, is_rate: bool = False) -> str:
    series = f"{name}{{{CHOSEN}}}"
    return f"rate({series}[{WINDOW}])" if is_rate else series


_OVERVIEW = (
    Panel("Processes", "none", [(level(process.INFO, "kind", how="count"), "{{kind}}")], shape="stat"),
    Panel("Requests", "reqps", [(rate(http.REQUESTS, "status"), "{{status}}")], is_stacked=True),
    Panel(
        "Share of requests that fail",
        "percentunit",
        [(f"{_FAILED} / {rate(http.REQUESTS)}", "5xx")],
    ),
    Panel("Latency without long polls", "s", _quantiles(http.SECONDS, where=_WORK)),
    Panel("Events stored", "reqps", [(rate(EVENTS), "all")]),
    Panel("Busy share of one core, by process", "percentunit", [(_BUSY, _INSTANCE)], "1 is full."),
    Panel("Memory", "bytes", [(_of_process("process_resident_memory_bytes"), _INSTANCE)]),
    Panel("Behind the log", "s", [(level(replication.LAG_SECONDS, "instance", how="max"), _INSTANCE)]),
    Panel(
        "What runs",
        "none",
        [(level(process.INFO, "kind", "name", "version", "python", "twisted", "instance", how="count"), "")],
        shape="table",
    ),
)

_HTTP = (
    Panel("Endpoints asked most", "reqps", [(top(10, rate(http.REQUESTS, "endpoint")), "{{endpoint}}")]),
    Panel(
        "Slowest endpoints, p99",
        "s",
        [(top(10, quantile(0.99, http.SECONDS, "endpoint", where=_WORK)), "{{endpoint}}")],
        "Long polls left out.",
    ),
    Panel(
        "Endpoints that fail",
        "reqps",
        [(top(10, _FAILING), "{{endpoint}} {{status}}")],
        "5xx, and 429: too many requests, or overload.",
    ),
    Panel("Requests under way", "short", [(top(10, level(http.IN_FLIGHT, "endpoint")), "{{endpoint}}")]),
    Panel("Bodies", "Bps", [(rate(http.RECEIVED), "received"), (rate(http.SENT), "sent")]),
    Panel("Connections", "short", [(level(http.CONNECTIONS, "instance"), _INSTANCE)], is_stacked=True),
)

_REPLICATION = (
    Panel("Behind, in facts", "short", [(level(replication.LAG_ROWS, "instance", "family"), _BOTH)]),
    Panel(
        "Behind, in seconds",
        "s",
        [(level(replication.LAG_SECONDS, "instance", "family", how="max"), _BOTH)],
    ),
    Panel(
        "Frames",
        "reqps",
        [
            (rate(replication.PUBLISHED, "kind"), "published: {{kind}}"),
            (rate(replication.HEARD, "kind"), "heard: {{kind}}"),
        ],
        "Each process hears every frame: heard is published, times the number of processes.",
    ),
    Panel("Facts by stream", "reqps", [(rate(replication.FACTS_PUBLISHED, "stream"), "{{stream}}")], is_stacked=True),
    Panel("Facts heard", "reqps", [(rate(replication.FACTS_HEARD, "instance"), _INSTANCE)]),
    Panel(
        "Gaps and refills",
        "reqps",
        [
            (rate(replication.GAPS, "family"), "gaps {{family}}"),
            (rate(replication.REFILLS, "outcome"), "refills {{outcome}}"),
        ],
    ),
    Panel("Refills take", "s", _quantiles(replication.REFILL_SECONDS)),
)

_COMMITS = (
    Panel("Appends waiting", "short", [(level(replication.QUEUE, "instance"), _INSTANCE)]),
    Panel("The oldest has waited", "s", [(level(replication.QUEUE_AGE, "instance", how="max"), _INSTANCE)]),
    Panel("From append to commit", "s", _quantiles(replication.WAIT_SECONDS)),
    Panel("A transaction takes", "s", _quantiles(replication.BATCH_SECONDS)),
    Panel(
        "Appends in a transaction",
        "short",
        [(mean(replication.BATCH_APPENDS, "instance"), _INSTANCE), (quantile(0.95, replication.BATCH_APPENDS), "p95")],
        "Grows with load; cost per append falls with it.",
    ),
    Panel(
        "Stored",
        "reqps",
        [(rate(replication.FACTS_STORED), "facts"), (count(replication.BATCH_SECONDS), "transactions")],
    ),
    Panel("Not stored at once", "reqps", [(rate(replication.NOT_STORED, "outcome"), "{{outcome}}")]),
)

_LEASES = (
    Panel(
        "Shards owned",
        "short",
        [
            (level(replication.OWNED, "family", "instance"), _BOTH),
            (level(replication.SHARDS, "family", how="max"), "{{family}}: there are"),
        ],
        "What the processes own together must be all there are.",
    ),
    Panel(
        "Shards lost to another process",
        "reqps",
        [(rate(replication.LOST, "instance", "family"), _BOTH)],
    ),
    Panel(
        "Calls to other processes",
        "reqps",
        [
            (rate(replication.CALLS, "outcome"), "{{outcome}}"),
            (rate(replication.SERVED, "outcome"), "served: {{outcome}}"),
        ],
    ),
    Panel(
        "Calls take, p95",
        "s",
        [
            (top(10, quantile(0.95, replication.CALL_SECONDS, "method")), "{{method}}"),
            (top(10, quantile(0.95, replication.SERVED_SECONDS, "method")), "served: {{method}}"),
        ],
    ),
    Panel(
        "Calls under way",
        "short",
        [(level(replication.CALLS_IN_FLIGHT), "calls"), (level(replication.SERVED_IN_FLIGHT), "served")],
    ),
)

_DATABASE = (
    Panel("Transactions", "reqps", [(count(database.SECONDS, "lane"), "{{lane}}")], is_stacked=True),
    Panel("Transactions waiting", "short", [(level(database.QUEUE, "lane"), "{{lane}}")]),
    Panel("Waiting for a thread, p95", "s", [(quantile(0.95, database.QUEUE_SECONDS, "lane"), "{{lane}}")]),
    Panel("A transaction takes, p95", "s", [(quantile(0.95, database.SECONDS, "lane"), "{{lane}}")]),
    Panel("Repeated", "reqps", [(rate(database.REPEATS, "lane"), "{{lane}}")]),
    Panel("Failed", "reqps", [(rate(database.ERRORS, "lane", "kind"), "{{lane}} {{kind}}")]),
)

_OTHERS = (
    Panel("Requests to other servers", "reqps", [(rate(outgoing.REQUESTS, "outcome"), "{{outcome}}")], is_stacked=True),
    Panel("They take, p95", "s", [(quantile(0.95, outgoing.SECONDS, "purpose"), "{{purpose}}")]),
    Panel("Under way", "short", [(level(outgoing.IN_FLIGHT, "purpose"), "{{purpose}}")]),
    Panel("Jobs that fail", "reqps", [(rate(jobs.FAILURES, "job"), "{{job}}")]),
    Panel("Jobs take, p95", "s", [(top(10, quantile(0.95, jobs.SECONDS, "job")), "{{job}}")]),
)

_SYNC = (
    Panel("Long polls", "short", [(level(sync.WAITING, "instance"), _INSTANCE)], is_stacked=True),
    Panel(
        "Answers",
        "reqps",
        [(count(sync.SECONDS, "source"), "from {{source}}"), (rate(sync.EMPTY), "nothing new")],
    ),
    Panel("An answer takes, p95", "s", [(quantile(0.95, sync.SECONDS, "source"), "from {{source}}")]),
)

_ROOMS = (
    Panel("Live rooms", "short", [(level(LIVE_ROOMS, "instance"), _INSTANCE)], is_stacked=True),
    Panel("Events by type", "reqps", [(top(10, rate(EVENTS, "type")), "{{type}}")]),
    Panel("Events by what became of them", "reqps", [(rate(EVENTS, "kind"), "{{kind}}")]),
)

_CACHES = (
    Panel(
        "Hit ratio",
        "percentunit",
        [(f"{_HITS} / ({_HITS} + {_MISSES})", "{{cache}}")],
    ),
    Panel("Misses", "reqps", [(_MISSES, "{{cache}}")]),
    Panel(
        "Full",
        "percentunit",
        [(f"{_ENTRIES} / {_LIMIT}", "{{cache}} {{instance}}")],
    ),
)

_PROCESS = (
    Panel("CPU", "percentunit", [(_of_process("process_cpu_seconds_total", is_rate=True), _INSTANCE)]),
    Panel(
        "Turns of the reactor, p99",
        "s",
        [(quantile(0.99, loop.TICKS, "instance"), _INSTANCE)],
        "All wait that long.",
    ),
    Panel(
        "Garbage collection",
        "percentunit",
        [(_GC, "{{instance}} {{generation}}")],
    ),
    Panel("Open files", "short", [(_of_process("process_open_fds"), _INSTANCE)]),
    Panel("Running for", "s", [(f"time() - {_of_process('process_start_time_seconds')}", _INSTANCE)]),
)


def _automatic(metric: Metric) -> Panel:
    """A panel for a metric that nobody has drawn one for."""
    labels = tuple(metric.labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in labels) or "all"
    if metric.kind is Kind.HISTOGRAM:
        unit: Unit = "s" if metric.name.endswith("_seconds") else "short"
        return Panel(metric.doc, unit, [(quantile(0.95, metric, *labels), f"p95 {legend}")])
    if metric.kind is Kind.COUNTER:
        return Panel(metric.doc, "reqps", [(rate(metric, *labels), legend)])
    return Panel(metric.doc, "s" if metric.name.endswith("_seconds") else "short", [(level(metric, *labels), legend)])


ROWS: Final[Mapping[str, Sequence[Panel]]] = {
    "Overview": _OVERVIEW,
    "HTTP": _HTTP,
    "Replication": _REPLICATION,
    "Commits": _COMMITS,
    "Leases and calls": _LEASES,
    "Database": _DATABASE,
    "Other servers and jobs": _OTHERS,
    "Sync": _SYNC,
    "Rooms": _ROOMS,
    "Caches": _CACHES,
    "Process": _PROCESS,
    **{
        subject: tuple(map(_automatic, metrics))
        for subject, metrics in SUBJECTS.items()
        if subject.startswith("Feature ")
    },
}
