"""The two servers of the comparison, both running: each one process, or each a cluster of four behind HAProxy."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.bench.measuring import Bench
from tests.bench.processes import ProcessesBench
from tests.kit import postgres, redis
from tests.kit.cluster import Cluster
from tests.kit.peers import Peer
from tests.kit.synapse import Synapse
from tests.kit.synapse_cluster import SynapseCluster

OURS, THEIRS = "synapse-like", "Synapse"
OPTIONS: Final[dict[str, Any]] = {"presence": {"enabled": False}}
WORKERS: Final[Mapping[str, int]] = {"event_writer": 1, "sync": 1, "client": 1}
"""Ours beside `main`: as many as Synapse has, see ``tests.kit.synapse_cluster``."""

Open = Callable[[Path, float], Bench]


@contextmanager
def running(scale: float, has_workers: bool = False) -> Iterator[dict[str, Bench]]:
    """Both servers by title, each with a database of its own in the same PostgreSQL, which waits for the disk.

    It does not vacuum by itself.

    Raises NotInstallable if there is no Synapse.
    """
    kinds: dict[str, Open] = (
        {OURS: _our_cluster, THEIRS: _their_cluster} if has_workers else {OURS: _ours, THEIRS: _theirs}
    )
    postgres.configure("autovacuum", "off", durable=True)
    with tempfile.TemporaryDirectory() as folder:
        benches: dict[str, Bench] = {}
        try:
            for title, opened in kinds.items():
                home = Path(folder) / title
                home.mkdir()
                bench = opened(home, scale)
                bench.server.start()
                benches[title] = bench
            yield benches
        finally:
            for bench in benches.values():
                bench.server.stop()


def processes(benches: Mapping[str, Bench]) -> str:
    """How many processes each has, and which, if they are clusters; else nothing."""
    names = {title: bench.cluster.names() for title, bench in benches.items() if isinstance(bench, ProcessesBench)}
    return ", ".join(f"{len(each)} processes of {title} ({' + '.join(each)})" for title, each in names.items())


def _ours(home: Path, scale: float) -> Bench:
    dsn = postgres.create_database(durable=True)
    return Bench(Peer(home, _database(dsn), OPTIONS), postgres.process_id(durable=True), dsn, scale)


def _theirs(home: Path, scale: float) -> Bench:
    dsn = postgres.create_database(durable=True)
    return Bench(Synapse(home, _database(dsn), OPTIONS), postgres.process_id(durable=True), dsn, scale)


def _our_cluster(home: Path, scale: float) -> Bench:
    cluster = Cluster(home, "redis", WORKERS, OPTIONS, durable=True)
    pid = postgres.process_id(durable=True)
    return ProcessesBench(cluster, pid, cluster.dsn, scale, redis_pid=redis.process_id())


def _their_cluster(home: Path, scale: float) -> Bench:
    dsn = postgres.create_database(durable=True)
    cluster = SynapseCluster(home, _database(dsn), OPTIONS)
    return ProcessesBench(cluster, postgres.process_id(durable=True), dsn, scale, redis_pid=redis.process_id())


def _database(dsn: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "psycopg2", "args": {**dsn, "cp_min": 5, "cp_max": 8}}
