"""Jobs run at their time, one after the other, and are counted; one that fails is logged and runs again."""

from twisted.internet.defer import Deferred

from synapse_like.toolkit.db import DatabaseUnavailable
from synapse_like.toolkit.metrics import Metrics
from tests.kit.clock import FakeClock
from workers.jobs import Jobs


class Work:
    """A job that does what it is told."""

    def __init__(self):
        self.runs = 0
        self.fault = None
        self.pause = None

    async def run(self):
        self.runs += 1
        if self.pause is not None:
            await self.pause
        if self.fault is not None:
            raise self.fault


async def _counts(metrics):
    text = (await metrics.scrape()).decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if "{job=" in line)
    return tuple(
        float(lines[f'synapse_like_job_{name}{{job="sweep"}}']) for name in ("seconds_count", "failures_total")
    )


def _jobs(work):
    clock, metrics = FakeClock(), Metrics()
    return clock, metrics, Jobs(clock, [("sweep", 10.0, work.run)], metrics)


async def test_a_job_runs_at_its_time_until_it_is_stopped():
    work = Work()
    clock, metrics, jobs = _jobs(work)
    assert await _counts(metrics) == (0, 0)
    jobs.start()
    clock.advance(9)
    assert work.runs == 0
    clock.advance(1)
    clock.advance(10)
    assert work.runs == 2
    assert await _counts(metrics) == (2, 0)
    jobs.stop()
    clock.advance(100)
    assert work.runs == 2


async def test_a_run_ends_before_the_next_is_planned():
    work = Work()
    work.pause = Deferred()
    clock, metrics, jobs = _jobs(work)
    jobs.start()
    clock.advance(10)
    clock.advance(100)
    assert work.runs == 1
    assert await _counts(metrics) == (0, 0)
    work.pause.callback(None)
    work.pause = None
    clock.advance(10)
    assert work.runs == 2


async def test_a_job_that_fails_runs_again(caplog):
    work = Work()
    clock, metrics, jobs = _jobs(work)
    jobs.start()
    for work.fault in (ValueError("a fault"), DatabaseUnavailable("away"), None):
        clock.advance(10)
    assert work.runs == 3
    assert await _counts(metrics) == (3, 2)
    fault, outage = [record for record in caplog.records if record.levelname == "ERROR"]
    assert fault.exc_info is not None
    assert outage.exc_info is None
