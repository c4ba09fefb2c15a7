"""Steps at an even pace: as many a second as were asked for, also when the server is slow.

A person does one thing at a time. A step that is due while everybody is busy waits, and its latency counts the waiting:
a server that stalls is not spared the steps that it would have got.
"""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tests.soak.life import Life
from tests.soak.subject import Subject

FIRST_RATE = 10.0
"""Steps a second while finding out what they cost."""
ROUNDS = 4
LONGEST_DEBT_S = 5.0
"""A pace that has fallen behind by more than this begins anew: what cannot be done is not heaped up."""


class Pace:
    """Makes people do things."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self._idle: asyncio.Queue[int] = asyncio.Queue()
        for number in range(len(life.users)):
            self._idle.put_nowait(number)
        self._steps: set[asyncio.Task[None]] = set()
        self._number = 0

    async def keep(self, rate: float) -> None:
        """So many steps a second, until cancelled."""
        due_s = time.monotonic()
        try:
            while True:
                due_s += 1 / rate
                if (wait_s := due_s - time.monotonic()) > 0:
                    await asyncio.sleep(wait_s)
                elif wait_s < -LONGEST_DEBT_S:
                    due_s = time.monotonic()
                    self.life.counts.errors[f"the pace fell behind by {LONGEST_DEBT_S:.0f} s"] += 1
                self._start(await self._idle.get(), due_s)
        finally:
            await self.finish()

    async def finish(self) -> None:
        """Wait for the steps under way."""
        if self._steps:
            await asyncio.wait(self._steps)

    def _start(self, person: int, due_s: float) -> None:
        self._number += 1
        task = asyncio.create_task(self._step(person, self._number, due_s))
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)

    async def _step(self, person: int, number: int, due_s: float) -> None:
        counts = self.life.counts
        with suppress(RuntimeError, OSError, EOFError):  # counted where it happened
            await self.life.act(random.Random(number), self.life.users[person])
        counts.steps += 1
        counts.latencies_ms.append((time.monotonic() - due_s) * 1000)
        self._idle.put_nowait(person)


async def calibrated_rate(pace: Pace, subject: Subject, share: float, seconds: float) -> float:
    """The steps a second that keep the server busy for that share of a core.

    Steps are cheaper the more of them there are: they share transactions, and one answer tells a reader of many. In a
    server that cannot keep up they are cheapest. So the rate is approached from below, some seconds each time.
    """
    rate = FIRST_RATE
    for _ in range(ROUNDS):
        rate = await _affordable(pace, subject, share, _keep_for(pace, rate, seconds))
    return rate


async def _keep_for(pace: Pace, rate: float, seconds: float) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(pace.keep(rate), seconds)


async def _affordable(pace: Pace, subject: Subject, share: float, work: Coroutine[Any, Any, None]) -> float:
    """Steps a second for that share of a core, by what the steps of this work cost."""
    before = subject.reading()
    pace.life.counts.take()
    await work
    steps, spent_s = pace.life.counts.take().steps, subject.reading().server_cpu_s - before.server_cpu_s
    return max(1.0, share * steps / max(spent_s, 0.01))
