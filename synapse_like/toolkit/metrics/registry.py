"""The metrics of one process: the series of declared metrics, and the text of /metrics.

What is counted as it happens has a series, bound once: a `Tally` or `Distribution` on the reactor's thread, an object
of prometheus-client's in other threads. What can be looked up (lengths of queues, sizes of caches) is sampled when
somebody asks, on the reactor's thread, where those things live. The text is then written in a thread, as it takes some
5 microseconds for each of some thousand lines.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from synapse_like.toolkit.metrics.declaring import PREFIX, Kind, Metric
from synapse_like.toolkit.metrics.tallies import Distribution, Tally

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Look = Callable[[], float]
Source = Tally | Distribution | Look
Value = float | tuple[list[tuple[str, float]], float]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Key = str | tuple[str, ...]
S = TypeVar("S", Tally, Distribution)


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._of_threads: dict[str, MetricWrapperBase] = {}
        self._sampled = _Sampled()
        self._scrapes: list[Deferred[bytes]] | None = None
        self._registry.register(self._sampled)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def tally(self, metric: Metric, **labels: str) -> Tally:
        """The number of one series of a counter or gauge, for the reactor's thread; 0 from now on.

        Whoever asks for the same series gets the same number, here and from `distribution`.
        """
        return self._sampled.get(metric, Tally, labels)

    def tallies(self, metric: Metric, born: Iterable[Key] = ()) -> "Tallies":
        """The series by label value (a tuple if there are several labels); those that are `born` are 0 from now on."""
        return Tallies(self, metric, [*metric.births, *born])

    def distribution(self, metric: Metric, **labels: str) -> Distribution:
        """One series of a histogram, for the reactor's thread."""
        return self._sampled.get(metric, partial(Distribution, metric.buckets), labels)

    def sample(self, metric: Metric, look: Look, **labels: str) -> None:
        """Look one series up whenever somebody asks, on the reactor's thread."""
        self._sampled.add(metric, look, labels)

    def counter(self, metric: Metric, **labels: str) -> Counter:
        """What counts one series in any thread; it stands at 0 from now on."""
        return cast(Counter, self._child(metric, labels))

    def histogram(self, metric: Metric, **labels: str) -> Histogram:
        """What observes one series in any thread."""
        return cast(Histogram, self._child(metric, labels))

    async def scrape(self) -> bytes:
        """Everything in Prometheus's text format. Who asks while it is being written gets the same text."""
        if self._scrapes is not None:
            waiter: Deferred[bytes] = Deferred()
            self._scrapes.append(waiter)
            return await waiter
        self._scrapes = []
        text = b""
        try:
            self._sampled.take()
            text = await deferToThread(generate_latest, self._registry)
        finally:
            waiters, self._scrapes = self._scrapes, None
            for waiter in waiters:
                waiter.callback(text)
        return text

    def _child(self, metric: Metric, labels: dict[str, str]) -> MetricWrapperBase:
        whole = self._of_threads.get(metric.name)
        if whole is None:
            whole = self._of_threads[metric.name] = self._whole(metric)
        return whole.labels(**labels) if metric.labels else whole

    def _whole(self, metric: Metric) -> MetricWrapperBase:
        """prometheus-client's object of a metric, with the series that are known beforehand at 0."""
        name, labels = PREFIX + metric.name, tuple(metric.labels)
        whole: MetricWrapperBase
        if metric.kind is Kind.HISTOGRAM:
            whole = Histogram(name, metric.doc, labels, registry=self._registry, buckets=metric.buckets)
        else:
            whole = Counter(name, metric.doc, labels, registry=self._registry)
        for birth in metric.births if labels else ():
            whole.labels(*birth)
        return whole


class Tallies(dict[Key, Tally]):
    """The tallies of one metric by label value, bound when first asked for."""

    def __init__(self, metrics: Metrics, metric: Metric, born: Iterable[Key]) -> None:
        super().__init__()
        self._metrics = metrics
        self._metric = metric
        for key in born:
            _ = self[key if isinstance(key, str) or len(key) > 1 else key[0]]

    def __missing__(self, key: Key) -> Tally:
        values = (key,) if isinstance(key, str) else key
        tally = self[key] = self._metrics.tally(self._metric, **dict(zip(self._metric.labels, values, strict=True)))
        return tally


class _Sampled(Collector):
    """Series that are plain numbers or looked up; Prometheus gets the values of the last look."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[Metric, dict[tuple[str, ...], Source]]] = {}
        self._values: list[tuple[Metric, list[tuple[tuple[str, ...], Value]]]] = []

    def get(self, metric: Metric, make: Callable[[], S], labels: dict[str, str]) -> S:
        """The source of a series, made if there is none."""
        _, sources = self._sources.get(metric.name, (metric, {}))
        found = sources.get(tuple(labels.get(name, "") for name in metric.labels))
        if found is None:
            found = make()
            self.add(metric, found, labels)
        return cast(S, found)

    def add(self, metric: Metric, source: Source, labels: dict[str, str]) -> None:
        """Take a source of a series, in place of the one before."""
        if set(labels) != set(metric.labels):
            raise ValueError(f"{metric.name} has the labels {list(metric.labels)}, not {list(labels)}")
        if (metric.kind is Kind.HISTOGRAM) is not isinstance(source, Distribution):
            raise TypeError(f"{metric.name} is a {metric.kind.value}")
        key = tuple(labels[name] for name in metric.labels)
        self._sources.setdefault(metric.name, (metric, {}))[1][key] = source

    def take(self) -> None:
        """Look at every source."""
        self._values = [
            (metric, [(labels, _read(metric, source)) for labels, source in sources.items()])
            for metric, sources in self._sources.values()
        ]

    def collect(self) -> Iterator[Family]:
        """Give the families (prometheus-client calls this)."""
        for metric, values in self._values:
            yield _family(metric, values)


def _read(metric: Metric, source: Source) -> Value:
    if isinstance(source, Tally):
        return source.value
    if isinstance(source, Distribution):
        return source.read()
    try:
        return float(source())
    except Exception:
        logger.exception("Cannot look up %s", metric.name)
        return float("nan")


def _family(metric: Metric, values: Iterable[tuple[tuple[str, ...], Value]]) -> Family:
    name, labels = PREFIX + metric.name, list(metric.labels)
    family: Family
    if metric.kind is Kind.HISTOGRAM:
        family = HistogramMetricFamily(name, metric.doc, labels=labels)
    elif metric.kind is Kind.COUNTER:
        family = CounterMetricFamily(name, metric.doc, labels=labels)
    else:
        family = GaugeMetricFamily(name, metric.doc, labels=labels)
    for label_values, value in values:
        if isinstance(value, tuple):
            buckets, total = value
            cast(HistogramMetricFamily, family).add_metric(label_values, buckets, total)
        else:
            cast(GaugeMetricFamily, family).add_metric(label_values, value)
    return family
