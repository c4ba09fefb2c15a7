"""Ways to ask Prometheus for a declared metric, so that no name is typed twice."""

from typing import Final

from synapse_like.toolkit.metrics import Metric

CHOSEN: Final = 'instance=~"$instance"'
"""The processes that are chosen in the dashboard's variables."""
WINDOW: Final = "$__rate_interval"


def rate(metric: Metric, *by: str, where: str = CHOSEN, window: str = WINDOW) -> str:
    """How often a second, summed up by some labels."""
    return f"sum{_by(by)} (rate({metric.full_name}{_in(where)}[{window}]))"


def level(metric: Metric, *by: str, how: str = "sum", where: str = CHOSEN) -> str:
    """What a gauge says, put together by some labels."""
    return f"{how}{_by(by)} ({metric.full_name}{_in(where)})"


def quantile(part: float, metric: Metric, *by: str, where: str = CHOSEN, window: str = WINDOW) -> str:
    """The value that this part of the observations stays below."""
    grouped = _by(("le", *by))
    return f"histogram_quantile({part}, sum{grouped} (rate({metric.full_name}_bucket{_in(where)}[{window}])))"


def count(metric: Metric, *by: str, where: str = CHOSEN, window: str = WINDOW) -> str:
    """How many observations a second."""
    return f"sum{_by(by)} (rate({metric.full_name}_count{_in(where)}[{window}]))"


def mean(metric: Metric, *by: str, where: str = CHOSEN, window: str = WINDOW) -> str:
    """The mean observation."""
    total = f"sum{_by(by)} (rate({metric.full_name}_sum{_in(where)}[{window}]))"
    return f"{total} / {count(metric, *by, where=where, window=window)}"


def top(number: int, query: str) -> str:
    """The largest few."""
    return f"topk({number}, {query})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _in(where: str) -> str:
    return f"{{{where}}}" if where else ""
