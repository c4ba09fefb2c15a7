"""``python3 -m tests soak``: is the server the same after half an hour of load as at its beginning?

A real server is started, with a database of its own. Thirty people sync all the time and do now this, now that: they
write, type, read, page back, look at state, open rooms and leave them again; guests log in, join, write, leave and log
out. What one such step costs is measured first; then as many steps come per second as keep the server busy for --load
of one core. That pace is kept from beginning to end, whether the server is quick or slow. Where other work keeps the
machine busy name a --rate: clients that get to run late ask less, and a step costs half.

Every interval prints a line: the shares of a core that server, database and this program took; steps, requests and
errors; how long steps took; the server's CPU milliseconds per step and its resident memory; the database's size; and,
as the server's own metrics say, events stored, live rooms, entries in caches, and the share of a core that went into
garbage collection. At the end it says how memory, latency and CPU per step have moved in the last two thirds of the
time, and whether that is steady; tests/soak/verdict.py says what is allowed. It stops by itself.

The exit code is 0 if the server was steady and no request failed, otherwise 1. Below --minutes 10 nothing is said
of trends: caches are still filling.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.kit import run_folder
from tests.soak import verdict
from tests.soak.life import Life
from tests.soak.pace import Pace, calibrated_rate
from tests.soak.sample import HEAD, Sample
from tests.soak.subject import KINDS, Subject, opened

CALIBRATION = 0.02
"""What part of the time is for finding out what a step costs."""


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit code."""
    chosen = _parser().parse_args(arguments)
    run_folder.create()
    try:
        with tempfile.TemporaryDirectory() as folder, opened(chosen.on, Path(folder)) as subject:
            print(f"{chosen.on}, {os.cpu_count()} cores, load of the machine {os.getloadavg()[0]:.1f}", flush=True)
            samples = asyncio.run(_soak(subject, chosen))
            judgement = verdict.judge(samples)
            tracebacks = subject.log_text().count("Traceback")
    finally:
        run_folder.remove()
    print("\n" + "\n".join(judgement.lines))
    if tracebacks:
        print(f"The server has logged {tracebacks} tracebacks.")
    return int(not judgement.is_good or tracebacks > 0)


def _parser() -> argparse.ArgumentParser:
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python3 -m tests soak", description=(__doc__ or "").partition(": ")[2], formatter_class=about
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two lines (default: 60)")
    parser.add_argument(
        "--load", type=float, default=0.6, help="share of a core that the server is busy (default: 0.6)"
    )
    parser.add_argument(
        "--on", choices=KINDS, default="postgresql", help="database, or a cluster (default: postgresql)"
    )
    parser.add_argument("--rate", type=float, help="steps a second, instead of those that --load allows")
    parser.add_argument("--people", type=int, default=30, help="who lives on the server (default: 30)")
    parser.add_argument("--rooms", type=int, default=12, help="rooms that all of them are in (default: 12)")
    return parser


async def _soak(subject: Subject, chosen: argparse.Namespace) -> list[Sample]:
    life = Life(subject.port, chosen.people, chosen.rooms)
    await life.begin()
    pace = Pace(life)
    seconds = chosen.minutes * 60
    try:
        rate = chosen.rate or await calibrated_rate(
            pace, subject, chosen.load, max(0.5, min(20.0, seconds * CALIBRATION))
        )
        print(f"{rate:.0f} steps a second; {chosen.people} people in {chosen.rooms} rooms\n{HEAD}", flush=True)
        work = asyncio.create_task(pace.keep(rate))
        try:
            return await _watch(subject, life, seconds, min(chosen.interval, seconds / 3), work)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    finally:
        await life.end()


async def _watch(
    subject: Subject, life: Life, seconds: float, interval_s: float, work: "asyncio.Task[None]"
) -> list[Sample]:
    """A sample at the end of each interval."""
    samples: list[Sample] = []
    began_s = time.monotonic()
    before = subject.reading()
    life.counts.take()
    while (now_s := time.monotonic()) < began_s + seconds - 0.01:
        await asyncio.wait([work], timeout=min(interval_s, began_s + seconds - now_s))
        if work.done():
            work.result()
        after = subject.reading()
        samples.append(Sample.between(before, after, life.counts.take(), after.at_s - began_s))
        before = after
        print(samples[-1].line(), flush=True)
    return samples


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
