"""What a benchmark measures while operations run: CPU of the server and its database, latency, and its own share.

``Bench`` holds one running server and what was measured of it; scenarios are in ``paths``, ``growth``, ``encryption``.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg2

from tests.bench import load
from tests.bench.cpu import cpu_seconds, descendants, resident_bytes
from tests.bench.load import Connection
from tests.kit.server import Server

BUSY_GENERATOR = 0.8
"""Above this share of a core the generator may be what limits the throughput of a row."""

LEAST_CPU_MS = 10
"""Less than this in all is no more than what else happens to go on, and nothing to divide by."""


@dataclass(frozen=True)
class Row:
    """What one kind of operation cost: CPU in milliseconds per operation, latencies in milliseconds."""

    name: str
    operations: int
    server_cpu_ms: float
    database_cpu_ms: float
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    generator_share: float

    @property
    def cpu_ms(self) -> float:
        """Server and database together."""
        return self.server_cpu_ms + self.database_cpu_ms

    @property
    def is_measurable(self) -> bool:
        """Whether the operations together cost more than what else goes on."""
        return self.cpu_ms * self.operations >= LEAST_CPU_MS

    @property
    def is_limited_by_generator(self) -> bool:
        """Whether the throughput says more of the generator than of the server."""
        return self.generator_share > BUSY_GENERATOR

    def line(self) -> str:
        """One line of a table."""
        mark = "  generator busy" if self.is_limited_by_generator else ""
        return (
            f"{self.name:<44} {self.operations:>7} {self.server_cpu_ms:>10.3f} {self.database_cpu_ms:>10.3f} "
            f"{self.per_second:>10.0f} {self.p50_ms:>9.1f} {self.p95_ms:>9.1f} {self.p99_ms:>9.1f} "
            f"{self.generator_share:>9.0%}{mark}"
        )

    def plain(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


HEAD = (
    f"{'':<44} {'number':>7} {'server':>10} {'database':>10} {'per s':>10} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} "
    f"{'generator':>9}"
)


@dataclass
class Bench:
    """A running server, and what has been measured. ``scale`` makes scenarios smaller (below 1) or larger."""

    server: Server
    database_pid: int | None
    dsn: dict[str, Any] | None = None
    scale: float = 1.0
    rows: list[Row] = field(default_factory=list)
    bytes_by_name: dict[str, float] = field(default_factory=dict)
    names: int = 0
    vacuum_s: float = 0.0
    """CPU seconds that the database has spent on `vacuum`."""

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.server.port

    def size(self, count: int, least: int = 1) -> int:
        """A number of things, scaled."""
        return max(min(least, count), round(count * self.scale))

    async def users(self, count: int) -> list[Connection]:
        """New users."""
        self.names += 1
        return await load.registered(self.port, f"u{self.names}x", count)

    @asynccontextmanager
    async def measured(self, name: str, operations: int, latencies_ms: list[float]) -> AsyncIterator[None]:
        """Measure what happens inside, which is so many operations."""
        before, own_before = self._cpu(), time.process_time()
        start = time.monotonic()
        yield
        wall_s = time.monotonic() - start
        own_share = (time.process_time() - own_before) / wall_s
        ours, database = (after - then for after, then in zip(self._cpu(), before, strict=True))
        latencies_ms.sort()
        per = 1000 / operations
        row = Row(
            name=name,
            operations=operations,
            server_cpu_ms=ours * per,
            database_cpu_ms=database * per,
            per_second=operations / wall_s,
            p50_ms=_percentile(latencies_ms, 0.5),
            p95_ms=_percentile(latencies_ms, 0.95),
            p99_ms=_percentile(latencies_ms, 0.99),
            generator_share=own_share,
        )
        self.rows.append(row)
        print(row.line(), flush=True)

    def database_bytes(self) -> int:
        """What the database takes on disk; 0 on SQLite."""
        if self.dsn is None:
            return 0
        connection = psycopg2.connect(**self.dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_database_size(current_database())")
                (size,) = cursor.fetchone() or (0,)
                return int(size)
        finally:
            connection.close()

    def vacuum(self) -> None:
        """Clean the database up and renew its statistics."""
        connection = psycopg2.connect(**self.dsn or {})
        try:
            connection.autocommit = True
            before = self._cpu()[1]
            with connection.cursor() as cursor:
                cursor.execute("VACUUM (ANALYZE, PARALLEL 0)")  # in one process, which is still there afterwards
            self.vacuum_s += self._cpu()[1] - before
        finally:
            connection.close()

    def note_bytes(self, name: str, each: float) -> None:
        """Keep how many bytes one of something takes in the database."""
        self.bytes_by_name[name] = each
        print(f"{name:<44} {each:>7.0f} bytes each", flush=True)

    def memory_bytes(self) -> int:
        """The server's resident memory."""
        return resident_bytes(descendants(self.server.pid))

    def _cpu(self) -> tuple[float, float]:
        database = cpu_seconds(descendants(self.database_pid)) if self.database_pid else 0.0
        return cpu_seconds(descendants(self.server.pid)), database


def timed(latencies_ms: list[float], call: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """A call that notes how long it took."""

    async def run() -> Any:
        start = time.monotonic()
        result = await call()
        latencies_ms.append((time.monotonic() - start) * 1000)
        return result

    return run


def _percentile(sorted_ms: list[float], part: float) -> float:
    return sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * part))] if sorted_ms else 0.0
