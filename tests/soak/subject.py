"""What is watched: one server process or a cluster, its database, and what /metrics says."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from tests.bench.cpu import cpu_seconds, descendants, resident_bytes
from tests.kit import ports, postgres
from tests.kit.client import Client
from tests.kit.cluster import Cluster
from tests.kit.processes import PROXY
from tests.kit.server import Server
from tests.soak.sample import Reading

KINDS = ("postgresql", "sqlite", "cluster")
CLUSTER = {"event_writer": 1, "sync": 1, "client": 1}


class Subject:
    """A running server. ``dsn`` is that of its PostgreSQL, ``file`` its SQLite."""

    def __init__(self, server: Server, metrics_ports: list[int], dsn: dict[str, Any] | None, file: Path | None) -> None:
        self._server = server
        self._metrics = [Client(f"http://127.0.0.1:{port}") for port in metrics_ports]
        self._dsn = dsn
        self._file = file
        self._database_pid = postgres.process_id(durable=True) if dsn else None

    @property
    def port(self) -> int:
        """Where clients go."""
        return self._server.port

    def log_text(self) -> str:
        """What its processes have printed."""
        return self._server.log_text()

    def reading(self) -> Reading:
        """How it is now."""
        pids, texts = self._pids(), [each.request("GET", "/metrics")[1].decode() for each in self._metrics]
        return Reading(
            at_s=time.monotonic(),
            server_cpu_s=cpu_seconds(pids),
            database_cpu_s=cpu_seconds(descendants(self._database_pid)) if self._database_pid else 0.0,
            generator_cpu_s=time.process_time(),
            resident_bytes=resident_bytes(pids),
            database_bytes=self._database_bytes(),
            events=int(_total(texts, "events_total")),
            live_rooms=int(_total(texts, "live_rooms")),
            cache_entries=int(_total(texts, "cache_entries")),
            gc_s=_total(texts, "gc_seconds_total"),
        )

    def _pids(self) -> list[int]:
        if isinstance(self._server, Cluster):
            return [pid for name in self._server.places for pid in descendants(self._server.pid_of(name))]
        return descendants(self._server.pid)

    def _database_bytes(self) -> int:
        if self._dsn is None:
            return (
                sum(path.stat().st_size for path in self._file.parent.glob(f"{self._file.name}*")) if self._file else 0
            )
        connection = psycopg2.connect(**self._dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_database_size(current_database())")
                return int((cursor.fetchone() or (0,))[0])
        finally:
            connection.close()


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Subject]:
    """A server that runs, on a database of its own; PostgreSQL waits for the disk, as it should."""
    if kind == "cluster":
        cluster = Cluster(folder, "tcp", CLUSTER, {"enable_metrics": True}, durable=True)
        with cluster:
            found = [place.metrics.port for name, place in cluster.places.items() if name != PROXY]
            settings = yaml.safe_load((folder / "homeserver.yaml").read_text())["database"]["args"]
            yield Subject(cluster, found, _dsn(settings), None)
        return
    port, file = ports.claim(), folder / "homeserver.db"
    database: dict[str, Any] = {"name": "sqlite3", "args": {"database": str(file)}}
    if kind == "postgresql":
        database = {"name": "psycopg2", "args": {**postgres.create_database(durable=True), "cp_max": 8}}
    server = Server(folder, database, {"enable_metrics": True})
    path = folder / "homeserver.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["listeners"].append({"port": port, "type": "metrics", "bind_addresses": ["127.0.0.1"]})
    path.write_text(yaml.safe_dump(settings))
    with server:
        yield Subject(server, [port], _dsn(database["args"]) if kind == "postgresql" else None, file)


def _dsn(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if not key.startswith("cp_")}


def _total(texts: list[str], name: str) -> float:
    """The sum of all series of that name, in all processes."""
    pattern = re.compile(rf"^synapse_like_{name}(?:\{{.*\}})? (\S+)$", re.MULTILINE)
    return sum(float(value) for text in texts for value in pattern.findall(text))
