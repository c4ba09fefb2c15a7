"""What clients have felt since the last time that somebody asked: how often, how long, and what went wrong."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counts:
    """Latencies are of steps, in milliseconds, from the time at which a step was due."""

    requests: int = 0
    steps: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def take(self) -> "Counts":
        """What was counted so far; counting begins anew."""
        taken = Counts(self.requests, self.steps, self.errors, sorted(self.latencies_ms))
        self.requests = self.steps = 0
        self.errors, self.latencies_ms = Counter(), []
        return taken

    def latency_ms(self, part: float) -> float:
        """The latency that this part of the steps does not exceed, of what ``take`` gave; 0 if there were none."""
        known = self.latencies_ms
        return known[min(len(known) - 1, int(len(known) * part))] if known else 0.0
