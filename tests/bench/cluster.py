"""What the hot paths cost in a cluster: CPU per operation for each kind of process, with one and with two event
writers, what a hop to the right process costs, and the memory of processes that do nothing.

HAProxy is in front; its own CPU is shown too. Where cores are few throughput does not grow with writers; what is to
stay level is the CPU per operation.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.cpu import cpu_seconds, descendants, resident_bytes
from tests.bench.measuring import HEAD, Bench
from tests.bench.paths import SCENARIOS
from tests.kit import postgres, run_folder
from tests.kit.cluster import PROXY, Cluster

DEFAULT = ("send-rooms", "send-room", "create", "sync", "fan-out")


@dataclass
class ClusterBench(Bench):
    """A running cluster. `entry` is the port that the load goes to instead of the proxy's."""

    entry: int | None = None
    kinds: dict[str, list[str]] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        assert isinstance(self.server, Cluster)
        return self.server

    @property
    def port(self) -> int:
        """Where the load goes."""
        return self.cluster.port if self.entry is None else self.entry

    @asynccontextmanager
    async def measured(self, name: str, operations: int, latencies_ms: list[float]) -> AsyncIterator[None]:
        """Measure what happens inside, also for each kind of process by itself."""
        before = self._cpu_by_kind()
        async with super().measured(name, operations, latencies_ms):
            yield
        per = 1000 / operations
        spent = {kind: (after - before[kind]) * per for kind, after in self._cpu_by_kind().items()}
        print("    " + "  ".join(f"{kind} {cpu_ms:.3f}" for kind, cpu_ms in spent.items() if cpu_ms >= 0.0005))

    def _pids(self, kind: str) -> list[int]:
        names = [PROXY] if kind == PROXY else self.cluster.names(kind)
        return [pid for name in names for pid in descendants(self.cluster.pid_of(name))]

    def _cpu_by_kind(self) -> dict[str, float]:
        return {kind: cpu_seconds(self._pids(kind)) for kind in (*_kinds(self.cluster), PROXY)}

    def _cpu(self) -> tuple[float, float]:
        database = cpu_seconds(descendants(self.database_pid)) if self.database_pid else 0.0
        return sum(cpu for kind, cpu in self._cpu_by_kind().items() if kind != PROXY), database

    def memory_by_kind(self) -> dict[str, float]:
        """MiB that the largest process of each kind has resident."""
        return {
            kind: max(resident_bytes(descendants(self.cluster.pid_of(name))) for name in self.cluster.names(kind))
            / 2**20
            for kind in _kinds(self.cluster)
        }


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios on clusters; the tables go to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench cluster", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--bus", choices=("tcp", "redis"), default="tcp")
    parser.add_argument("--scale", type=float, default=1.0, help="how large scenarios are; 0.1 is a tenth")
    chosen = parser.parse_args(arguments)
    run_folder.create()
    try:
        for writers in (1, 2):
            _measure(chosen, {"event_writer": writers, "sync": 1, "client": 1})
        _measure_hop(chosen)
    finally:
        run_folder.remove()
    return 0


def _measure(chosen: argparse.Namespace, counts: Mapping[str, int]) -> None:
    """The scenarios, by way of the proxy."""
    words = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    print(f"\nPostgreSQL, bus {chosen.bus}, {os.cpu_count()} cores: main, {words}; CPU ms per operation")
    with _running(chosen.bus, counts) as cluster:
        bench = ClusterBench(cluster, postgres.process_id(durable=True), scale=chosen.scale)
        idle = "  ".join(f"{kind} {mib:.0f}" for kind, mib in bench.memory_by_kind().items())
        print(f"resident MiB of a process that does nothing: {idle}")
        print(HEAD)
        for name in chosen.scenarios or DEFAULT:
            asyncio.run(SCENARIOS[name](bench))


def _measure_hop(chosen: argparse.Namespace) -> None:
    """Sends to the process that owns the rooms, and the same to one that has to pass every request on."""
    print("\nThe hop: sends to the owner of the rooms, then to a process that passes each of them on")
    counts = {"event_writer": 1, "sync": 1, "client": 1}
    with _running(chosen.bus, counts) as cluster:
        print(HEAD)
        for name in ("event_writer1", "client1"):
            entry = cluster.places[name].listen.port
            bench = ClusterBench(cluster, postgres.process_id(durable=True), scale=chosen.scale, entry=entry)
            bench.names = 100 + entry
            asyncio.run(SCENARIOS["send-rooms"](bench))


@contextmanager
def _running(bus: str, counts: Mapping[str, int]) -> Iterator[Cluster]:
    """A cluster on a database that is durable."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), bus, counts, durable=True)
        with cluster:
            yield cluster


def _kinds(cluster: Cluster) -> list[str]:
    return list(dict.fromkeys(place.kind.name for place in cluster.places.values()))
