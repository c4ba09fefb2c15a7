"""The endurance run does what its help says, and its judgement tells a leak from noise."""

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.kit.server import ROOT
from tests.soak.sample import Sample
from tests.soak.verdict import Trend, judge

STEADY = Sample(0, 0.6, 0.2, 0.1, 4000, 40_000, {}, 8, 50, 90, 8.0, 120.0, 30, 100, 50, 900, 0.01)


def _run(minutes: int, change: Callable[[Sample, float], Sample]) -> list[Sample]:
    """A sample for each minute, with the noise of a machine that has other things to do."""
    chance = random.Random(7)
    noisy = [
        replace(STEADY, minute=minute, p50_ms=8 * chance.uniform(0.8, 1.3), resident_mib=120 + chance.uniform(-2, 2))
        for minute in range(1, minutes + 1)
    ]
    return [change(sample, sample.minute) for sample in noisy]


def test_noise_is_steady():
    judgement = judge(_run(30, lambda sample, minute: sample))
    assert judgement.is_good, judgement.lines
    assert sum("steady" in line for line in judgement.lines) == 3


def test_a_leak_is_found_and_told_per_hour_and_per_thousand_steps():
    judgement = judge(_run(30, lambda each, minute: replace(each, resident_mib=each.resident_mib + 0.5 * minute)))
    assert not judgement.is_good
    (line,) = (line for line in judgement.lines if line.startswith("memory"))
    assert "NOT STEADY" in line
    assert float(line.split(", ")[2].split()[0]) == pytest.approx(0.5 / 4, rel=0.2)


def test_what_fills_up_in_the_first_third_is_no_leak():
    full = _run(30, lambda each, minute: replace(each, resident_mib=each.resident_mib - 40 * (minute < 9)))
    assert judge(full).is_good


def test_growing_latency_and_growing_cost_are_found():
    slower = judge(_run(30, lambda each, minute: replace(each, p50_ms=each.p50_ms + minute)))
    dearer = judge(_run(30, lambda each, minute: replace(each, cpu_ms_per_step=8 + 0.2 * minute)))
    assert not slower.is_good and not dearer.is_good
    assert [line.split()[0] for line in slower.lines if "NOT STEADY" in line] == ["latency"]
    assert [line.split()[0] for line in dearer.lines if "NOT STEADY" in line] == ["CPU"]


def test_one_error_is_too_many():
    failed = judge(_run(30, lambda each, minute: replace(each, errors={"503": 1} if minute == 3 else {})))
    assert not failed.is_good
    assert "1 errors" in failed.lines[0]


def test_a_line_goes_through_what_lies_on_it():
    trend = Trend.through([1, 2, 3, 4], [5, 7, 9, 11])
    assert (trend.per_minute, trend.error_per_minute, trend.mean, trend.growth) == (2, 0, 8, 6)


def test_a_short_run_ends_by_itself_and_says_what_it_saw():
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.03", "--interval", "1", "--on", "sqlite"]
    done = subprocess.run(
        [*command, "--people", "3", "--rooms", "2"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:2] == ["min", "server"])
    names = lines[head].replace(" ms", "_ms").replace("db MiB", "db_MiB").split()
    shown = dict(zip(names, lines[head + 1].split(), strict=True))
    assert "steps a second" in lines[head - 1]
    assert int(shown["steps"]) > 0 and int(shown["requests"]) >= int(shown["steps"]) and shown["errors"] == "0"
    assert float(shown["MiB"]) > 20 and int(shown["events"]) > 10 and int(shown["live"]) >= 2
    assert "0 errors" in done.stdout and "Too short" in lines[-1]
