"""What Prometheus computes beforehand, and when it wakes somebody: recording and alerting rules, with what to do.

Thresholds are for a server of any size: shares, ages and quantiles, never numbers of users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from synapse_like.features.send.api import SendingApi
from synapse_like.toolkit.http.endpoint import declared
from synapse_like.toolkit.metrics import caches, database, http, jobs, loop, process, replication
from workers.dashboards.queries import level, quantile, rate

SLO: Final = 0.999
"""The share of requests that do not fail with 5xx."""
_WINDOWS: Final = ("5m", "30m", "1h", "6h")
_SENDS: Final = "|".join(sorted({endpoint.name for endpoint in declared(SendingApi)}))
_SEND_P99: Final = "synapse_like:send_seconds:p99_5m"
_BUSY: Final = "synapse_like:loop_busy:ratio_5m"
_CALLS_FAILED: Final = 'outcome=~"lost|deadline|full"'
_DATABASE_FAILED: Final = 'kind=~"unavailable|statement"'
_OWNED: Final = level(replication.OWNED, "family", where="")
_SHARDS: Final = level(replication.SHARDS, "family", how="max", where="")
_HIT_RATIO: Final = "synapse_like:cache_hits:ratio_15m"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A query that is computed beforehand, under a name."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that somebody should hear of: `page` now, `ticket` in working hours."""

    name: str
    query: str
    lasting: str
    severity: Literal["page", "ticket"]
    summary: str
    runbook: str
    """What it means, what to look at first, what helps."""


def _failing(window: str) -> str:
    return f"synapse_like:http_requests_failing:ratio_{window}"


def _failing_share(window: str) -> str:
    failed = rate(http.REQUESTS, where='status="5xx"', window=window)
    return f"{failed} / {rate(http.REQUESTS, where='', window=window)}"


def _burns(factor: float, short: str, long: str) -> str:
    """The budget of errors is being used up so many times too fast, just now and for some time."""
    limit = f"{factor * (1 - SLO):g}"
    return f"{_failing(short)} > {limit} and {_failing(long)} > {limit}"


def _hit_ratio(window: str) -> str:
    by = ("instance", "cache")
    hits, misses = (rate(metric, *by, where="", window=window) for metric in (caches.HITS, caches.MISSES))
    return f"{hits} / ({hits} + {misses})"


def _increase(metric: str, window: str) -> str:
    return f"increase({metric}[{window}]) > 0"


RECORDED: Final[Sequence[Recorded]] = (
    *(Recorded(_failing(window), _failing_share(window)) for window in _WINDOWS),
    Recorded(_SEND_P99, quantile(0.99, http.SECONDS, where=f'endpoint=~"{_SENDS}"', window="5m")),
    Recorded(_BUSY, rate(loop.BUSY, "instance", where="", window="5m")),
    Recorded(_HIT_RATIO, _hit_ratio("15m")),
)

_REQUESTS = (
    Alert(
        name="SynapseLikeAbsent",
        query=f"absent({process.INFO.full_name})",
        lasting="2m",
        severity="page",
        summary="No process of the server is seen by Prometheus",
        runbook="Either every process is down or Prometheus cannot reach them. Ask a process for /health/live at "
        "its metrics port; if it answers, look at the network and at the targets in Prometheus; if not, at "
        "its log.",
    ),
    Alert(
        name="SynapseLikeErrorsFast",
        query=_burns(14.4, "5m", "1h"),
        lasting="2m",
        severity="page",
        summary="Requests fail so fast that a month's budget of errors is gone in two days",
        runbook="See 'Endpoints that fail' in the row HTTP. One endpoint: look for its traceback in the log by its "
        "name. All of them: look at the rows Database and Leases; 503 means that the database or an owner "
        "is away.",
    ),
    Alert(
        name="SynapseLikeErrorsSlow",
        query=_burns(6, "30m", "6h"),
        lasting="15m",
        severity="ticket",
        summary="Requests fail more often than the budget of errors allows",
        runbook="As SynapseLikeErrorsFast, with less hurry.",
    ),
    Alert(
        name="SynapseLikeSendsSlow",
        query=f"{_SEND_P99} > 1",
        lasting="10m",
        severity="page",
        summary="One send in a hundred takes more than a second",
        runbook="See 'From append to commit' in the row Commits. If it is high, the database is slow ('A "
        "transaction takes') or away. If not, see 'Busy share of one core': add event writers where it is "
        "near 1.",
    ),
)

_LOGS = (
    Alert(
        name="SynapseLikeReaderBehind",
        query=f"{level(replication.LAG_SECONDS, 'instance', 'family', how='max', where='')} > 10",
        lasting="1m",
        severity="page",
        summary="A process does not hear of what was committed",
        runbook="Its readers get old answers, and /health/ready takes it out of the balance. See gaps and failed "
        "refills in the row Replication: the bus loses frames, or the process cannot read the database. If "
        "its reactor is full, add processes of its kind; else restart it.",
    ),
    Alert(
        name="SynapseLikeFramesLost",
        query=f"{rate(replication.GAPS, 'instance', where='', window='15m')} > 0.1",
        lasting="15m",
        severity="ticket",
        summary="The bus keeps losing frames",
        runbook="Nothing is lost, but each gap costs a read of the database. Look at Redis (output buffer limits of "
        "pub/sub clients) or at the network between the processes.",
    ),
    Alert(
        name="SynapseLikeCommitsStuck",
        query=f"{level(replication.QUEUE_AGE, 'instance', how='max', where='')} > 5",
        lasting="1m",
        severity="page",
        summary="What was accepted waits for its commit",
        runbook="Sends of this process hang. The database is away, locked or out of disk: look there first (long "
        "transactions, locks, disk). The log of the process says what the last commit failed with.",
    ),
    Alert(
        name="SynapseLikeCommitsRefused",
        query=_increase(f'{replication.NOT_STORED.full_name}{{outcome="refused"}}', "10m"),
        lasting="0m",
        severity="ticket",
        summary="A request could not be stored, for a fault of its own",
        runbook="The log has 'could not store for' with the room or user and the traceback. If it says that the "
        "fence was broken, see SynapseLikeEpochLost; else it is a fault worth reporting.",
    ),
    Alert(
        name="SynapseLikeCommitsUnknown",
        query=_increase(f'{replication.NOT_STORED.full_name}{{outcome="unknown"}}', "10m"),
        lasting="0m",
        severity="ticket",
        summary="Connections broke while a commit was under way",
        runbook="The server has looked the outcome up, nothing is doubled or lost. Look at the database's restarts "
        "and at what closes connections in between (pgbouncer, NAT, timeouts).",
    ),
    Alert(
        name="SynapseLikeShardsUnowned",
        query=f"{_OWNED} < {_SHARDS}",
        lasting="1m",
        severity="page",
        summary="Shards have no owner: their rooms or users cannot write",
        runbook="A process died and nobody may take its shards, or nobody reaches the database. `python -m workers "
        "shards` shows who owns what. Starting a `main`, or another process of the kind, helps at once.",
    ),
    Alert(
        name="SynapseLikeEpochLost",
        query=_increase(replication.LOST.full_name, "10m"),
        lasting="0m",
        severity="ticket",
        summary="A process found that its shards had been taken over",
        runbook="It was stopped or cut from the database for longer than its lease: look for pauses (swapping, CPU "
        "limits, a full reactor) at that time. The fence has kept the data right.",
    ),
    Alert(
        name="SynapseLikeCallsFail",
        query=f"{rate(replication.CALLS, 'instance', where=_CALLS_FAILED, window='5m')} > 0.1",
        lasting="5m",
        severity="ticket",
        summary="Calls between processes fail",
        runbook="See the row Leases and calls. `lost`: processes die or the network drops connections. `deadline` "
        "or `full`: the process that is called is overloaded, see its busy share.",
    ),
)

_MACHINES = (
    Alert(
        name="SynapseLikeDatabaseQueue",
        query=f"{quantile(0.95, database.QUEUE_SECONDS, 'instance', 'lane', where='', window='5m')} > 0.5",
        lasting="5m",
        severity="ticket",
        summary="Transactions wait for a free connection",
        runbook="See 'A transaction takes': if it has grown, the database is slow; if not, raise cp_max, or add "
        "processes.",
    ),
    Alert(
        name="SynapseLikeDatabaseErrors",
        query=f"{rate(database.ERRORS, 'instance', where=_DATABASE_FAILED, window='5m')} > 0.05",
        lasting="5m",
        severity="page",
        summary="Transactions fail",
        runbook="`unavailable`: the database is away or refuses connections (max_connections). `statement`: look "
        "for the traceback in the log; after an upgrade, for a migration that did not run.",
    ),
    Alert(
        name="SynapseLikeJobFails",
        query=f"{rate(jobs.FAILURES, 'job', where='', window='1h')} > 0",
        lasting="1h",
        severity="ticket",
        summary="A job keeps failing",
        runbook="It is made again at its time, but what it does is not done meanwhile. The log has "
        "'job ... failed' with its name and the reason.",
    ),
    Alert(
        name="SynapseLikeReactorFull",
        query=f"{_BUSY} > 0.9",
        lasting="10m",
        severity="ticket",
        summary="A process uses its core up",
        runbook="Latency grows from here on. Add processes of its kind: nothing else needs a restart.",
    ),
    Alert(
        name="SynapseLikeReactorBlocked",
        query=f"{quantile(0.99, loop.TICKS, 'instance', where='', window='5m')} > 0.5",
        lasting="5m",
        severity="ticket",
        summary="Turns of the reactor take longer than half a second",
        runbook="Everybody on this process waits that long. See which endpoints are slow, and garbage collection.",
    ),
    Alert(
        name="SynapseLikeCacheTooSmall",
        query=f"{_HIT_RATIO} < 0.5 and on(instance, cache) "
        f"{caches.ENTRIES.full_name} > 0.95 * {caches.LIMIT.full_name}",
        lasting="1h",
        severity="ticket",
        summary="A cache is full and seldom helps",
        runbook="More users are active on this process than it can remember: add processes of its kind, so that "
        "each has fewer users or rooms.",
    ),
    Alert(
        name="SynapseLikeFilesShort",
        query="process_open_fds / process_max_fds > 0.8 and on(instance) " + process.INFO.full_name,
        lasting="5m",
        severity="page",
        summary="A process is about to run out of open files",
        runbook="Each connection is one. Raise the limit (LimitNOFILE of systemd), or add processes.",
    ),
    Alert(
        name="SynapseLikeVersionsDiffer",
        query=f"count(count by (version) ({process.INFO.full_name})) > 1",
        lasting="6h",
        severity="ticket",
        summary="Processes of two versions run side by side",
        runbook="That is fine during an upgrade. If none is under way, some processes were not restarted.",
    ),
)

ALERTS: Final[Sequence[Alert]] = (*_REQUESTS, *_LOGS, *_MACHINES)
