"""``python -m workers dashboard``: writes the folder ``grafana``, or says which of its files are stale."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from workers.dashboards import documents, grafana, prometheus

FILES: Final[Mapping[str, Callable[[], str]]] = {
    "dashboard.json": grafana.render,
    "rules.yaml": prometheus.render,
    "METRICS.md": documents.metrics,
    "RUNBOOKS.md": documents.runbooks,
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``dashboard``."""
    command = commands.add_parser(
        "dashboard",
        help="write the dashboard for Grafana, the rules for Prometheus, and the lists of metrics and runbooks",
        description="Write the dashboard for Grafana, the rules for Prometheus, and the lists of metrics and runbooks. "
        "All are derived from what this version counts.",
    )
    command.add_argument("--to", type=Path, default=Path("grafana"), metavar="FOLDER", help="default: grafana")
    command.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    command.set_defaults(run=_run)


def stale(folder: Path) -> list[str]:
    """The files that are not what this version would write."""
    return [name for name, render in FILES.items() if _read(folder / name) != render()]


def _run(chosen: argparse.Namespace) -> int:
    old = stale(chosen.to)
    if chosen.check:
        for name in old:
            print(f"{chosen.to / name} is stale: run python -m workers dashboard", file=sys.stderr)
        return 1 if old else 0
    chosen.to.mkdir(parents=True, exist_ok=True)
    for name in old:
        (chosen.to / name).write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {chosen.to / name}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
