"""What a metric is: its name, what it says, and the values that its labels can have. Counting is in ``registry``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from typing import Final

PREFIX: Final = "synapse_like_"

LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets of what a person waits for."""
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Buckets of how many things are done at once."""

Values = tuple[str, ...] | str
"""The values of a label: all of them, or a sentence that says what bounds them."""


class Kind(Enum):
    """How a metric moves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One declaration. `name` comes without prefix and, for a counter, without ``_total``."""

    kind: Kind
    name: str
    doc: str
    labels: Mapping[str, Values] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as Prometheus shows it."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names of its series, as queries use them."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.full_name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.full_name,)

    @property
    def births(self) -> list[tuple[str, ...]]:
        """The label values that exist from the start; none if a label's values are not listed, or there is no label."""
        listed = [values for values in self.labels.values() if not isinstance(values, str)]
        return list(product(*listed)) if listed and len(listed) == len(self.labels) else []


def counter(name: str, doc: str, labels: Mapping[str, Values] | None = None) -> Metric:
    """Declare what only grows."""
    return Metric(Kind.COUNTER, name, doc, labels or {})


def gauge(name: str, doc: str, labels: Mapping[str, Values] | None = None) -> Metric:
    """Declare what goes up and down."""
    return Metric(Kind.GAUGE, name, doc, labels or {})


def histogram(
    name: str, doc: str, labels: Mapping[str, Values] | None = None, buckets: tuple[float, ...] = LATENCY_SECONDS
) -> Metric:
    """Declare a distribution: how many observations fell into each bucket, and their sum."""
    return Metric(Kind.HISTOGRAM, name, doc, labels or {}, buckets)
