"""The metrics of one process: born at zero, bound once, looked up when asked, and clean text."""

import pytest
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.toolkit.metrics import Metrics, counter, gauge, histogram
from synapse_like.toolkit.metrics.caches import watch_cache

SOUPS = counter("soups", "Soups.", {"kind": ("hot", "cold")})
GUESTS = gauge("guests", "Guests.", {"table": "the tables"})
WAITS = histogram("wait_seconds", "Waits.", buckets=(1.0, 2.0))


async def values(metrics):
    """The series of our own, by name with labels."""
    lines = (await metrics.scrape()).decode().splitlines()
    series = (line.rsplit(" ", 1) for line in lines if line.startswith("synapse_like_"))
    return {name.removeprefix("synapse_like_"): float(value) for name, value in series if "_created" not in name}


async def test_listed_labels_are_born_at_zero():
    metrics = Metrics()
    metrics.tallies(SOUPS)["hot"].add(2)
    assert await values(metrics) == {'soups_total{kind="hot"}': 2, 'soups_total{kind="cold"}': 0}


async def test_threads_use_objects_of_their_own():
    metrics = Metrics()
    metrics.counter(SOUPS, kind="hot").inc(2)
    metrics.histogram(WAITS).observe(1.5)
    found = await values(metrics)
    assert (found['soups_total{kind="hot"}'], found['soups_total{kind="cold"}']) == (2, 0)
    assert found['wait_seconds_bucket{le="2.0"}'] == 1


async def test_series_are_bound_once():
    metrics = Metrics()
    assert metrics.distribution(WAITS) is metrics.distribution(WAITS)
    metrics = Metrics()
    assert metrics.tally(GUESTS, table="2") is metrics.tally(GUESTS, table="2")
    tables = metrics.tallies(GUESTS, ["1"])
    assert list(tables) == ["1"]
    assert tables["2"] is tables["2"]
    assert list(metrics.tallies(SOUPS)) == ["hot", "cold"]
    assert await values(metrics) == {
        'guests{table="1"}': 0,
        'guests{table="2"}': 0,
        'soups_total{kind="hot"}': 0,
        'soups_total{kind="cold"}': 0,
    }


async def test_what_is_looked_up_has_its_value_of_the_moment():
    metrics = Metrics()
    guests = ["ann"]
    metrics.sample(GUESTS, lambda: len(guests), table="1")
    metrics.sample(GUESTS, lambda: 7, table="2")
    guests.append("bob")
    assert await values(metrics) == {'guests{table="1"}': 2, 'guests{table="2"}': 7}


async def test_a_look_that_fails_spoils_nothing_else(caplog):
    metrics = Metrics()
    metrics.sample(GUESTS, lambda: 1 / 0, table="1")
    metrics.sample(GUESTS, lambda: 7, table="2")
    found = await values(metrics)
    assert found['guests{table="2"}'] == 7
    assert found['guests{table="1"}'] != found['guests{table="1"}']
    assert "Cannot look up guests" in caplog.text


def test_labels_must_be_those_declared():
    with pytest.raises(ValueError, match="table"):
        Metrics().sample(GUESTS, lambda: 1, kind="hot")
    with pytest.raises(ValueError):
        Metrics().counter(SOUPS, table="1")
    with pytest.raises(TypeError, match="counter"):
        Metrics().distribution(SOUPS, kind="hot")
    with pytest.raises(TypeError, match="histogram"):
        Metrics().tally(WAITS)


async def test_distributions():
    metrics = Metrics()
    waits = metrics.distribution(WAITS)
    waits.observe(1.5)
    waits.observe_all([1.0, 7.0])
    assert await values(metrics) == {
        'wait_seconds_bucket{le="1.0"}': 1,
        'wait_seconds_bucket{le="2.0"}': 2,
        'wait_seconds_bucket{le="+Inf"}': 3,
        "wait_seconds_count": 3,
        "wait_seconds_sum": 9.5,
    }
    assert WAITS.sample_names == (
        "synapse_like_wait_seconds_bucket",
        "synapse_like_wait_seconds_sum",
        "synapse_like_wait_seconds_count",
    )


async def test_who_asks_at_once_gets_one_text():
    metrics = Metrics()
    asked = []
    metrics.sample(GUESTS, lambda: asked.append(1) or 1, table="1")
    first, second = await gatherResults([Deferred.fromCoroutine(metrics.scrape()) for _ in range(2)])
    assert first == second
    assert len(asked) == 1
    await metrics.scrape()
    assert len(asked) == 2


async def test_caches():
    class Cache(dict):
        limit, hits, misses = 10, 3, 4

    metrics = Metrics()
    watch_cache(metrics, "soups", Cache(a=1))
    assert await values(metrics) == {
        'cache_entries{cache="soups"}': 1,
        'cache_entries_max{cache="soups"}': 10,
        'cache_hits_total{cache="soups"}': 3,
        'cache_misses_total{cache="soups"}': 4,
    }
