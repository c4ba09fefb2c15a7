"""What one interval was like, and what the server's processes say of themselves at its ends."""

from dataclasses import dataclass
from typing import Any

from tests.soak.counts import Counts

HEAD = (
    f"{'min':>6} {'server':>7} {'db':>5} {'load':>5} {'steps':>8} {'requests':>9} {'errors':>6} "
    f"{'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7} {'ms/step':>8} {'MiB':>7} {'db MiB':>7} "
    f"{'events':>8} {'live':>6} {'cached':>8} {'gc':>6}"
)


@dataclass(frozen=True)
class Reading:
    """A moment. CPU in seconds since the start, memory and database in bytes; the rest is out of /metrics."""

    at_s: float
    server_cpu_s: float
    database_cpu_s: float
    generator_cpu_s: float
    resident_bytes: int
    database_bytes: int
    events: int
    live_rooms: int
    cache_entries: int
    gc_s: float


@dataclass(frozen=True)
class Sample:
    """An interval; `minute` is its end. Shares are of one core."""

    minute: float
    server_share: float
    database_share: float
    generator_share: float
    steps: int
    requests: int
    errors: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_per_step: float
    resident_mib: float
    database_mib: float
    events: int
    live_rooms: int
    cache_entries: int
    gc_share: float

    @classmethod
    def between(cls, before: Reading, after: Reading, counts: Counts, since_start_s: float) -> "Sample":
        """The interval between two moments, of which clients counted this."""
        seconds = after.at_s - before.at_s
        spent_s = after.server_cpu_s - before.server_cpu_s

        values: dict[str, Any] = {
            "server_share": spent_s / seconds,
            "database_share": (after.database_cpu_s - before.database_cpu_s) / seconds,
            "generator_share": (after.generator_cpu_s - before.generator_cpu_s) / seconds,
            "gc_share": (after.gc_s - before.gc_s) / seconds,
            "cpu_ms_per_step": spent_s * 1000 / max(1, counts.steps),
            "resident_mib": after.resident_bytes / 2**20,
            "database_mib": after.database_bytes / 2**20,
        }
        return cls(
            minute=since_start_s / 60,
            steps=counts.steps,
            requests=counts.requests,
            errors=dict(counts.errors),
            p50_ms=counts.latency_ms(0.5),
            p95_ms=counts.latency_ms(0.95),
            p99_ms=counts.latency_ms(0.99),
            events=after.events,
            live_rooms=after.live_rooms,
            cache_entries=after.cache_entries,
            **values,
        )

    def line(self) -> str:
        """A line below HEAD, and one for each kind of error."""
        line = (
            f"{self.minute:>6.1f} {self.server_share:>7.0%} {self.database_share:>5.0%} {self.generator_share:>5.0%} "
            f"{self.steps:>8} {self.requests:>9} {sum(self.errors.values()):>6} "
            f"{self.p50_ms:>7.1f} {self.p95_ms:>7.1f} {self.p99_ms:>7.1f} "
            f"{self.cpu_ms_per_step:>8.3f} {self.resident_mib:>7.1f} {self.database_mib:>7.1f} "
            f"{self.events:>8} {self.live_rooms:>6} {self.cache_entries:>8} {self.gc_share:>6.2%}"
        )
        return "\n".join([line, *(f"       {count} x {what}" for what, count in self.errors.items())])
