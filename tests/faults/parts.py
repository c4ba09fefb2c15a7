"""A cluster whose processes reach each other, Redis and PostgreSQL over lines that a test can cut."""

import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg2
import yaml

from tests.faults.servers import LOOPBACK, OwnPostgres, OwnRedis
from tests.kit import ports
from tests.kit.client import Client
from tests.kit.cluster import Cluster
from tests.kit.cuttable import Line
from workers.supervisor.layout import Place

SMALL: Final[Mapping[str, int]] = {"event_writer": 2, "sync": 1, "client": 1}
LARGE: Final[Mapping[str, int]] = dict.fromkeys(("event_writer", "sync", "client"), 2) | {
    "federation_receiver": 1,
    "federation_sender": 1,
}
LEASE: Final = "2s"
OPTIONS: Final = "-c idle_in_transaction_session_timeout=2000"
"""Shorter than usual, as the leases are: locks of who has fallen silent are free again after that time."""


class Parts(Cluster):
    """A cluster with a PostgreSQL and, if that is its bus, a Redis of its own.

    `calls`, `to_redis` and `to_postgres` are lines of single processes, by name; those of processes in `cuttable`.
    """

    def __init__(
        self, folder: Path, bus: str, counts: Mapping[str, int] = SMALL, cuttable: tuple[str, ...] = ()
    ) -> None:
        super().__init__(folder, "tcp", counts, {"worker_lease": LEASE, "enable_metrics": True})
        self.bus = bus
        self.postgres = OwnPostgres()
        self.redis = OwnRedis() if bus == "redis" else None
        self.calls: dict[str, Line] = {}
        self.to_redis: dict[str, Line] = {}
        self.to_postgres: dict[str, Line] = {}
        self._commands: dict[str, list[str]] = {}
        settings = yaml.safe_load((folder / "homeserver.yaml").read_text())
        settings |= self._settings(self.postgres.port, self.redis.port if self.redis else 0)
        (folder / "homeserver.yaml").write_text(yaml.safe_dump(settings))
        if self.redis is not None:
            self.redis.start()
        for name in cuttable:
            self._give_lines(name)

    def arguments(self) -> dict[str, Any]:
        """How to connect to the database."""
        return self.postgres.arguments(self.postgres.port)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        connection = psycopg2.connect(**self.arguments())
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall()
        finally:
            connection.close()

    def owned_by(self, name: str) -> set[tuple[str, int]]:
        """(family, shard) of the leases that a process has, as the database says."""
        return set(self.rows("SELECT family, shard FROM shards WHERE owner = %s", name))

    def ownerless(self) -> set[tuple[str, int]]:
        """(family, shard) of the leases that nobody has."""
        return set(self.rows("SELECT family, shard FROM shards WHERE owner = ''"))

    def until(self, condition: Callable[[], bool], words: str, timeout_s: float = 30.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain until {words}"
            time.sleep(0.05)

    def url_of(self, name: str) -> str:
        """Where one process takes requests."""
        return f"http://{self.places[name].listen}"

    def facts_heard(self, name: str) -> float:
        """How many facts the bus has brought to one process."""
        _, text = Client(f"http://{self.places[name].metrics}").request("GET", "/metrics")
        found = re.findall(r"^\w*replication_facts_heard_total\{.*\} (\S+)$", text.decode(), re.MULTILINE)
        return sum(map(float, found))

    def running(self) -> list[str]:
        """The processes that run."""
        return [name for name in self.places if name in self._running]

    def close(self) -> None:
        """End everything."""
        for name in self.running():
            self.send_signal(name, signal.SIGCONT)
        self.stop()
        for line in (*self.calls.values(), *self.to_redis.values(), *self.to_postgres.values()):
            line.close()
        for server in (self.postgres, self.redis):
            if server is not None and server.answers():
                server.stop()

    def _give_lines(self, name: str) -> None:
        """Let a process reach the others, and be reached, only over lines of ours."""
        listening = ports.claim()
        self.calls[name] = Line(listening)
        self.to_postgres[name] = Line(self.postgres.port)
        if self.redis is not None:
            self.to_redis[name] = Line(self.redis.port)
        own = self._settings(self.to_postgres[name].port, self.to_redis[name].port if self.redis else 0)
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(own))
        calls = ["--calls", f"{LOOPBACK}:{listening}", "--advertise", f"{LOOPBACK}:{self.calls[name].port}"]
        self.places[name] = _Lined(self.places[name], [str(path)], calls)  # type: ignore[assignment]

    def _settings(self, postgres_port: int, redis_port: int) -> dict[str, Any]:
        arguments = {**self.postgres.arguments(postgres_port), "cp_min": 1, "cp_max": 5, "options": OPTIONS}
        settings: dict[str, Any] = {"database": {"name": "psycopg2", "args": arguments}}
        if redis_port:
            settings["redis"] = {"enabled": True, "host": LOOPBACK, "port": redis_port}
        return settings


class _Lined:
    """A place whose process has a second file of settings, and an address for calls."""

    def __init__(self, place: Place, configs: list[str], options: list[str]) -> None:
        self._place = place
        self._configs = configs
        self._options = options

    def command(self, program: list[str], configs: list[str]) -> list[str]:
        """The command that runs it."""
        return [*self._place.command(program, [*configs, *self._configs]), *self._options]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)


@contextmanager
def running(parts: Parts) -> Iterator[Parts]:
    """Run it for a test; of a failed one pytest shows the end of the logs. A traceback in a log fails the test."""
    try:
        parts.start()
        yield parts
    finally:
        parts.close()
        print(parts.log_text()[-8000:])
    assert not (found := tracebacks(parts.log_text())), "\n".join(found)[:8000]


def tracebacks(text: str) -> list[str]:
    """The errors in a log that nobody has foreseen, each with the line before it."""
    return re.findall(r"^.*\nTraceback (?:.*\n)+?(?=\S+ \S+ [A-Z]+ )", text, re.MULTILINE)


def people(parts: Parts, names: str, count: int) -> list[Client]:
    """New users."""
    return [parts.register(f"{names}{number}") for number in range(count)]
