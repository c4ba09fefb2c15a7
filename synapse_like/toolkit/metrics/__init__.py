"""Metrics: declared as data, counted with prometheus-client, shown at /metrics.

A package declares what it counts (`counter`, `gauge`, `histogram`) beside the code that counts, binds the children once
when it is built, and calls them. Dashboard and documentation derive from the declarations. Labels are bounded: names of
endpoints, families, lanes, kinds; never rooms, users or servers.

* `declaring`    what a metric is
* `tallies`      plain numbers, the cheapest way to count
* `registry`     the metrics of one process
* `http`, `replication`, `database`, `caches`, `process`, `loop`   what the toolkit itself counts, by subject
"""

from synapse_like.toolkit.metrics.declaring import PREFIX, Metric, counter, gauge, histogram
from synapse_like.toolkit.metrics.registry import CONTENT_TYPE, Metrics
from synapse_like.toolkit.metrics.tallies import Distribution, Tally, seconds

__all__ = [
    "CONTENT_TYPE",
    "PREFIX",
    "Distribution",
    "Metric",
    "Metrics",
    "Tally",
    "counter",
    "gauge",
    "histogram",
    "seconds",
]
