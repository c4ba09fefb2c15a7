"""Synapse and this server, measured in turn by the same generator on the same PostgreSQL.

PostgreSQL is durable (fsync and synchronous_commit on), presence is off, rate limits are checked but high. Every
scenario runs on one server and then on the other; the table gives, per operation, CPU of server and database, latency,
throughput, and how many times cheaper one is than the other. The database vacuums after each scenario instead of when
it likes, which would be counted for whichever server is being measured; what it takes for either is said by itself.

Both servers are one process each; with --workers each is four: main, one that writes events, one for /sync, one for
other requests. HAProxy is in front, Redis between the processes. CPU and memory are then those of all processes of the
server, without HAProxy and Redis; a line under each row says what each process spent, and those two.
"""

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synapse_like import __version__
from tests.bench import contestants, federation, growth, paths, plot
from tests.bench.contestants import OURS, THEIRS
from tests.bench.measuring import HEAD, LEAST_CPU_MS, Bench, Row
from tests.bench.processes import ProcessesBench
from tests.kit import run_folder, synapse
from tests.kit.programs import find_postgres

SCENARIOS: dict[str, Callable[[Bench], Coroutine[Any, Any, None]]] = {
    **paths.SCENARIOS,
    "members": growth.send_by_members,
    "rooms": growth.sync_by_rooms,
    "inbound": federation.inbound,
    "outbound": federation.outbound,
    "bytes": growth.bytes_stored,
    "day": growth.mixed_day,
}
SCALES = {"quick": 0.05, "small": 0.2, "full": 1.0}
FEDERATED = ("inbound", "outbound")
"""Scenarios between servers: the clusters that are compared have no workers for those."""


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios and write table, numbers and plot."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    names = scenarios(chosen.scenarios, chosen.workers)
    if not names:
        parser.error("no scenario is left")
    run_folder.create()
    try:
        _write(chosen.output, *measure(names, chosen.scale or SCALES[chosen.size], chosen.workers))
    finally:
        run_folder.remove()
    return 0


def measure(
    names: Sequence[str], scale: float, has_workers: bool = False
) -> tuple[dict[str, str], dict[str, Bench], dict[str, int]]:
    """Run scenarios: under which circumstances, what each server's bench has measured, and its memory in bytes.

    Raises NotInstallable if there is no Synapse.
    """
    began = time.monotonic()
    with contestants.running(scale, has_workers) as benches:
        for name in names:
            _run(name, benches)
        memory = {title: bench.memory_bytes() for title, bench in benches.items()}
        return _facts(benches, time.monotonic() - began), benches, memory


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench side-by-side", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="which (all if none is named)")
    parser.add_argument("--size", choices=SCALES, default="quick", help="quick is some minutes, full half an hour")
    parser.add_argument("--scale", type=float, help="a size between those")
    parser.add_argument("--workers", action="store_true", help="clusters of four processes each, behind HAProxy")
    parser.add_argument("--output", type=Path, help="a folder for table.md, numbers.json, plot.svg and growth.svg")
    return parser


def scenarios(chosen: Sequence[str], has_workers: bool) -> list[str]:
    """The names of those to run; says which of them are left out, and why."""
    names = list(chosen or SCENARIOS)
    left_out = [name for name in names if has_workers and name in FEDERATED]
    if left_out:
        print(f"left out: {', '.join(left_out)}. Nothing is measured between servers with --workers.")
    return [name for name in names if name not in left_out]


def _run(name: str, benches: dict[str, Bench]) -> None:
    """One scenario on both, in turn."""
    print(f"\n{name}\n{HEAD}", flush=True)
    for title, bench in benches.items():
        print(f"-- {title}", flush=True)
        try:
            asyncio.run(SCENARIOS[name](bench))
        except Exception as error:
            print(f"   not done: {type(error).__name__}: {str(error)[:200]}", flush=True)
        bench.vacuum()


def _facts(benches: dict[str, Bench], seconds: float) -> dict[str, str]:
    processes = contestants.processes(benches)
    return {
        **({"with workers:": processes} if processes else {}),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        OURS: __version__,
        THEIRS: synapse.version(),
        "PostgreSQL": find_postgres().version,
        "Python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "load of the machine at the end": f"{os.getloadavg()[0]:.1f}",
        "scale": f"{benches[OURS].scale:g}",
        "minutes": f"{seconds / 60:.1f}",
    }


def table(facts: dict[str, str], benches: dict[str, Bench], memory: dict[str, int]) -> str:
    """The result in Markdown."""
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines += [
        f"| operation | CPU ms, {OURS} | CPU ms, {THEIRS} | ratio | per second | p50 ms | p95 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_line(ours, theirs) for ours, theirs in pairs(benches)]
    lines += ["", f"| | {OURS} | {THEIRS} | ratio |", "| --- | --- | --- | --- |"]
    for name, ours in benches[OURS].bytes_by_name.items():
        if theirs := benches[THEIRS].bytes_by_name.get(name):
            lines.append(f"| {name} | {ours:,.0f} | {theirs:,.0f} | {theirs / ours if ours > 0 else 0:.1f} |")
    ours, theirs = memory[OURS], memory[THEIRS]
    if vacuum_s := benches[OURS].vacuum_s:
        theirs_s = benches[THEIRS].vacuum_s
        lines.append(f"| vacuuming, CPU | {vacuum_s:.1f} s | {theirs_s:.1f} s | {theirs_s / vacuum_s:.1f} |")
    lines.append(f"| resident memory at the end | {_mib(ours)} | {_mib(theirs)} | {theirs / ours:.1f} |")
    if any(not row.is_measurable for pair in pairs(benches) for row in pair):
        lines += [
            "",
            f"No ratio where all operations together took less than {LEAST_CPU_MS} ms of CPU.",
        ]
    if any(row.is_limited_by_generator for bench in benches.values() for row in bench.rows):
        lines += ["", "\\* The generator was busy for more than 80 % of a core: the server may be faster than this."]
    return "\n".join(lines) + "\n"


def pairs(benches: Mapping[str, Bench]) -> list[tuple[Row, Row]]:
    """The rows that both have; of a name that several rows have, the first with the first, and so on."""
    theirs: dict[str, list[Row]] = {}
    for row in benches[THEIRS].rows:
        theirs.setdefault(row.name, []).append(row)
    return [(row, theirs[row.name].pop(0)) for row in benches[OURS].rows if theirs.get(row.name)]


def _line(ours: Row, theirs: Row) -> str:
    ratio = f"{theirs.cpu_ms / ours.cpu_ms:.1f}" if ours.is_measurable and theirs.is_measurable else "-"
    rates = " / ".join(f"{row.per_second:.0f}{'*' if row.is_limited_by_generator else ''}" for row in (ours, theirs))
    latencies = [f"{getattr(ours, key):.1f} / {getattr(theirs, key):.1f}" for key in ("p50_ms", "p95_ms", "p99_ms")]
    costs = " | ".join(f"{row.server_cpu_ms:.2f} + {row.database_cpu_ms:.2f}" for row in (ours, theirs))
    return f"| {ours.name} | {costs} | {ratio} | {rates} | {' | '.join(latencies)} |"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _write(folder: Path | None, facts: dict[str, str], benches: dict[str, Bench], memory: dict[str, int]) -> None:
    text = table(facts, benches, memory)
    print(f"\n{text}")
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text)
    numbers = {
        title: {
            "rows": [row.plain() for row in bench.rows],
            "bytes": bench.bytes_by_name,
            "memory_bytes": memory[title],
            "by_process": bench.spent if isinstance(bench, ProcessesBench) else {},
        }
        for title, bench in benches.items()
    }
    (folder / "numbers.json").write_text(json.dumps({"facts": facts, **numbers}, indent=1))
    (folder / "plot.svg").write_text(plot.ratios(pairs(benches), f"{THEIRS} / {OURS}, CPU per operation"))
    (folder / "growth.svg").write_text(plot.growth(pairs(benches), (OURS, THEIRS)))
    print(f"written to {folder}")
