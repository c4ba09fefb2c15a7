"""Whether a server stayed as it was: least-squares lines through the samples of the last two thirds of the time.

A line through noise is never level, so a limit is on what the line says of the whole time that it goes through:

* memory may grow by 4 % of its mean, but at least by 4 MiB: malloc's arenas breathe by so much. In the 20 minutes of
  a run of 30 that finds whatever keeps 30 bytes of each step at 200 steps a second;
* the median latency may grow by half, and by 3 ms at least: other work on the machine comes and goes;
* CPU per step, which other work disturbs less, may grow by a fifth.

Growth counts only if it is also more than twice as much as the scatter of the samples around their line explains. That
is not so for errors: one is too many.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.soak.sample import Sample

SHORTEST_MINUTES = 10.0
"""Nothing is said of the trends of a run that is shorter."""
MEMORY_SHARE, MEMORY_MIB = 0.04, 4.0
LATENCY_SHARE, LATENCY_MS = 0.5, 3.0
CPU_SHARE, CPU_MS = 0.2, 0.2


@dataclass(frozen=True)
class Trend:
    """A line through values by minutes: slope, standard error of the slope, mean, and the time that it covers."""

    per_minute: float
    error_per_minute: float
    mean: float
    minutes: float

    @classmethod
    def through(cls, minutes: Sequence[float], values: Sequence[float]) -> "Trend":
        """The line of least squares; a level one if there are less than three values."""
        count = len(values)
        mean, middle = sum(values) / max(1, count), sum(minutes) / max(1, count)
        spread = sum((minute - middle) ** 2 for minute in minutes)
        if count < 3 or not spread:
            return cls(0.0, 0.0, mean, 0.0)
        both = zip(minutes, values, strict=True)
        slope = sum((minute - middle) * (value - mean) for minute, value in both) / spread
        rest = sum(
            (value - mean - slope * (minute - middle)) ** 2 for minute, value in zip(minutes, values, strict=True)
        )
        return cls(slope, math.sqrt(rest / (count - 2) / spread), mean, max(minutes) - min(minutes))

    @property
    def growth(self) -> float:
        """By how much the line rises."""
        return self.per_minute * self.minutes

    def words(self, unit: str) -> str:
        """Mean and slope."""
        return f"{self.mean:.2f} {unit}, {self.per_minute * 60:+.3f} ± {self.error_per_minute * 60:.3f} {unit} an hour"

    def is_steady(self, share: float, least: float) -> bool:
        """Whether it rises by no more than that share of the mean or that amount, or by nothing but chance."""
        allowed = max(share * self.mean, least)
        return self.growth <= allowed or self.per_minute <= 2 * self.error_per_minute


@dataclass(frozen=True)
class Judgement:
    """What is said at the end."""

    lines: list[str]
    is_good: bool


def judge(samples: Sequence[Sample]) -> Judgement:
    """Judge a whole run."""
    errors = sum(sum(sample.errors.values()) for sample in samples)
    steps = sum(sample.steps for sample in samples)
    lines = [f"{steps:,} steps, {sum(sample.requests for sample in samples):,} requests, {errors} errors"]
    minutes = samples[-1].minute if samples else 0.0
    late = [sample for sample in samples if sample.minute > minutes / 3]
    if minutes < SHORTEST_MINUTES:
        lines.append(f"Too short to say whether it is steady: that takes {SHORTEST_MINUTES:.0f} minutes.")
        return Judgement(lines, errors == 0 and steps > 0)
    memory = _trend(late, lambda sample: sample.resident_mib)
    latency = _trend(late, lambda sample: sample.p50_ms)
    cpu = _trend(late, lambda sample: sample.cpu_ms_per_step)
    per_thousand = memory.per_minute * memory.minutes / max(1, sum(sample.steps for sample in late[1:])) * 1000
    verdicts = [
        memory.is_steady(MEMORY_SHARE, MEMORY_MIB),
        latency.is_steady(LATENCY_SHARE, LATENCY_MS),
        cpu.is_steady(CPU_SHARE, CPU_MS),
    ]
    words = [f"{'steady' if each else 'NOT STEADY':<10}" for each in verdicts]
    lines += [
        f"The last {memory.minutes:.0f} minutes, with the standard errors of the slopes:",
        f"memory   {words[0]} {memory.words('MiB')}, {per_thousand:+.4f} MiB per 1,000 steps",
        f"latency  {words[1]} {latency.words('ms')} (the median of each interval)",
        f"CPU      {words[2]} {cpu.words('ms a step')}",
    ]
    return Judgement(lines, errors == 0 and steps > 0 and all(verdicts))


def _trend(samples: Sequence[Sample], value: Callable[[Sample], float]) -> Trend:
    return Trend.through([sample.minute for sample in samples], [value(sample) for sample in samples])
