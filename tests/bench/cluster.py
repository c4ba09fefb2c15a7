"""What the hot paths cost in a cluster: CPU per operation for each kind of process, with one and with two event
writers, what a hop to the right process costs, and the memory of processes that do nothing.

HAProxy is in front; its own CPU is shown too. Where cores are few throughput does not grow with writers; what is to
stay level is the CPU per operation.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measuring import HEAD
from tests.bench.paths import SCENARIOS
from tests.bench.processes import ProcessesBench
from tests.kit import postgres, run_folder
from tests.kit.cluster import Cluster

DEFAULT = ("send-rooms", "send-room", "create", "sync", "fan-out")


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios on clusters; the tables go to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench cluster", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--bus", choices=("tcp", "redis"), default="tcp")
    parser.add_argument("--scale", type=float, default=1.0, help="how large scenarios are; 0.1 is a tenth")
    chosen = parser.parse_args(arguments)
    run_folder.create()
    try:
        for writers in (1, 2):
            _measure(chosen, {"event_writer": writers, "sync": 1, "client": 1})
        _measure_hop(chosen)
    finally:
        run_folder.remove()
    return 0


def _measure(chosen: argparse.Namespace, counts: Mapping[str, int]) -> None:
    """The scenarios, by way of the proxy."""
    words = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    print(f"\nPostgreSQL, bus {chosen.bus}, {os.cpu_count()} cores: main, {words}; CPU ms per operation")
    with _running(chosen.bus, counts) as cluster:
        bench = ProcessesBench(cluster, postgres.process_id(durable=True), scale=chosen.scale)
        idle = "  ".join(f"{kind} {mib:.0f}" for kind, mib in bench.memory_by_kind().items())
        print(f"resident MiB of a process that does nothing: {idle}")
        print(HEAD)
        for name in chosen.scenarios or DEFAULT:
            asyncio.run(SCENARIOS[name](bench))


def _measure_hop(chosen: argparse.Namespace) -> None:
    """Sends to the process that owns the rooms, and the same to one that has to pass every request on."""
    print("\nThe hop: sends to the owner of the rooms, then to a process that passes each of them on")
    counts = {"event_writer": 1, "sync": 1, "client": 1}
    with _running(chosen.bus, counts) as cluster:
        print(HEAD)
        for name in ("event_writer1", "client1"):
            entry = cluster.places[name].listen.port
            bench = ProcessesBench(cluster, postgres.process_id(durable=True), scale=chosen.scale, entry=entry)
            bench.names = 100 + entry
            asyncio.run(SCENARIOS["send-rooms"](bench))


@contextmanager
def _running(bus: str, counts: Mapping[str, int]) -> Iterator[Cluster]:
    """A cluster on a database that is durable."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), bus, counts, durable=True)
        with cluster:
            yield cluster
