"""How busy the reactor is, and the time of garbage collection."""

import gc
import re
import time

from twisted.internet import reactor

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.metrics import Metrics
from synapse_like.toolkit.metrics.loop import watch_loop
from synapse_like.toolkit.metrics.process import describe_process, watch_gc


async def _value(metrics, name):
    return float(re.search(rf"^synapse_like_{name} (\S+)$", (await metrics.scrape()).decode(), re.MULTILINE)[1])


async def test_work_counts_and_waiting_does_not():
    metrics = Metrics()
    end = watch_loop(metrics, reactor)
    try:
        clock = Clock(reactor)
        await clock.sleep(0)
        before = await _value(metrics, "loop_busy_seconds_total")
        turned = time.process_time()
        while time.process_time() - turned < 0.05:
            pass
        await clock.sleep(0.001)
        busy = await _value(metrics, "loop_busy_seconds_total") - before
        assert busy >= 0.05
        waited = time.monotonic()
        before = await _value(metrics, "loop_busy_seconds_total")
        await clock.sleep(0.3)
        busy = await _value(metrics, "loop_busy_seconds_total") - before
        assert busy < 0.9 * (time.monotonic() - waited)
    finally:
        end()
    ticks = await _value(metrics, "loop_tick_seconds_count")
    await Clock(reactor).sleep(0.001)
    assert await _value(metrics, "loop_tick_seconds_count") == ticks


def test_a_reactor_that_hides_its_waiting_is_left_alone():
    watch_loop(Metrics(), object())()


async def test_garbage_collection_is_timed():
    metrics = Metrics()
    end = watch_gc(metrics)
    try:
        gc.collect()
    finally:
        end()
    seconds = await _value(metrics, r'gc_seconds_total\{generation="2"\}')
    assert seconds > 0
    gc.collect()
    assert await _value(metrics, r'gc_seconds_total\{generation="2"\}') == seconds


async def test_a_process_says_what_it_is():
    metrics = Metrics()
    describe_process(metrics, "sync", "sync-1")
    text = (await metrics.scrape()).decode()
    assert re.search(
        r'process_info\{kind="sync",name="sync-1",python="3\.[^"]+",twisted="[^"]+",version="0[^"]+"\} 1', text
    )
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text
