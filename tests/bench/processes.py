"""What operations cost a server of many processes: in all, and each kind of process by itself.

The proxy and Redis stand apart: what they cost is printed, and not counted as the server's.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.bench.cpu import cpu_seconds, descendants, resident_bytes
from tests.bench.measuring import Bench
from tests.kit.processes import PROXY, ManyProcesses

REDIS: Final = "redis"
_LEAST_CPU_MS = 0.0005


@dataclass
class ProcessesBench(Bench):
    """A running server of many processes.

    `entry` is the port that the load goes to instead of the proxy's; `redis_pid` the Redis that its bus goes over, if
    it does. `spent` says of every row CPU milliseconds per operation of each kind of process, of proxy and Redis too.
    """

    entry: int | None = None
    redis_pid: int | None = None
    spent: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def cluster(self) -> ManyProcesses:
        """The server."""
        assert isinstance(self.server, ManyProcesses)
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
        self.spent[name] = spent
        print("    " + "  ".join(f"{kind} {cpu_ms:.3f}" for kind, cpu_ms in spent.items() if cpu_ms >= _LEAST_CPU_MS))

    def memory_bytes(self) -> int:
        """Resident memory of all processes together."""
        return sum(self._resident_bytes().values())

    def memory_by_kind(self) -> dict[str, float]:
        """MiB that the largest process of each kind has resident."""
        sizes = self._resident_bytes()
        return {kind: max(sizes[name] for name in self.cluster.names(kind)) / 2**20 for kind in self.cluster.kinds}

    def _cpu(self) -> tuple[float, float]:
        database = cpu_seconds(descendants(self.database_pid)) if self.database_pid else 0.0
        return sum(cpu for kind, cpu in self._cpu_by_kind().items() if kind not in (PROXY, REDIS)), database

    def _cpu_by_kind(self) -> dict[str, float]:
        return {kind: cpu_seconds(pids) for kind, pids in self._pids().items()}

    def _pids(self) -> Mapping[str, list[int]]:
        names = {**{kind: self.cluster.names(kind) for kind in self.cluster.kinds}, PROXY: [PROXY]}
        pids = {kind: [pid for name in each for pid in self._pids_of(name)] for kind, each in names.items()}
        return pids if self.redis_pid is None else {**pids, REDIS: [self.redis_pid]}

    def _pids_of(self, name: str) -> list[int]:
        return descendants(self.cluster.pid_of(name))

    def _resident_bytes(self) -> dict[str, int]:
        return {name: resident_bytes(self._pids_of(name)) for name in self.cluster.names()}
