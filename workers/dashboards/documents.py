"""The pages for people: METRICS.md, what is counted, and RUNBOOKS.md, what to do when an alert comes."""

import textwrap
from collections.abc import Iterator, Mapping

from synapse_like.toolkit.metrics import Metric
from synapse_like.toolkit.metrics.declaring import Values
from workers.dashboards.declared import LIBRARY, SUBJECTS
from workers.dashboards.rules import ALERTS

_WRITTEN = "Written by `python -m workers dashboard`."
_MOST_VALUES = 8


def metrics() -> str:
    """METRICS.md."""
    return "\n".join(_metrics()) + "\n"


def runbooks() -> str:
    """RUNBOOKS.md."""
    return "\n".join(_runbooks()) + "\n"


def _metrics() -> Iterator[str]:
    yield "# Metrics\n"
    yield f"{_WRITTEN} Every series is there from the start of a process, at 0, unless a"
    yield "label's values are only known when they come. Labels are bounded: no rooms, users or servers."
    for subject, declared in SUBJECTS.items():
        yield f"\n## {subject}\n\n| metric | kind | labels | |\n| --- | --- | --- | --- |"
        for metric in declared:
            yield f"| `{metric.full_name}` | {metric.kind.value} | {_labels(metric.labels)} | {_doc(metric)} |"
    yield "\n## Of Python and the system\n"
    yield "Shown by prometheus-client: " + ", ".join(f"`{name}`" for name in sorted(LIBRARY)) + "."


def _doc(metric: Metric) -> str:
    return metric.doc.replace("|", "\\|")


def _labels(labels: Mapping[str, Values]) -> str:
    return "; ".join(f"`{name}`: {_values(values)}" for name, values in labels.items())


def _values(values: Values) -> str:
    if isinstance(values, str):
        return values
    shown = ", ".join(values[:_MOST_VALUES])
    return shown if len(values) <= _MOST_VALUES else f"{shown}, ... ({len(values)})"


def _runbooks() -> Iterator[str]:
    yield "# What to do when an alert comes\n"
    yield f"{_WRITTEN} Rows are those of the dashboard."
    for alert in ALERTS:
        yield f"\n## {alert.name}\n"
        yield f"**{alert.summary}** ({alert.severity}, after {alert.lasting}).\n"
        yield from textwrap.wrap(alert.runbook, 118)
        yield f"\n    {alert.query}"
