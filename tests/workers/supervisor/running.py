"""The cluster command as a process of its own, and its end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit import dies_with_parent, ports, run_folder
from tests.kit.server import ROOT

DEADLINE_SECONDS = 90
STOP_SECONDS = 20
STAND_INS = ("-m", "tests.kit.cluster_program")


class Cluster:
    """A running cluster command."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = STAND_INS,
    ) -> None:
        self.data = data
        self.output = Path(tempfile.mkstemp(dir=run_folder.path())[1])
        wrapper = [sys.executable, dies_with_parent.__file__, str(os.getpid()), sys.executable]
        command = [*wrapper, *program, "cluster", "--data", str(data), "--first-port", str(_first_port()), *arguments]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self) -> "Cluster":
        """Return when all its processes are ready."""
        eventually(lambda: "Ctrl-C stops" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        return self

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    @property
    def processes(self) -> dict[str, Any]:
        """What its file says of its processes."""
        return dict(json.loads((self.data / "run" / "processes.json").read_text()))

    def pid(self, name: str) -> int | None:
        """The id of a process; None while it does not run."""
        pid = self.processes[name]["pid"]
        return int(pid) if pid else None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """End it; how long that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(STOP_SECONDS) == 0, self.said
        return time.monotonic() - began

    def print_logs(self) -> None:
        """Print the ends of all logs, for a failed test to show."""
        print(self.said)
        for log in (self.data / "logs").glob("*.log"):
            print(f"{log.name}: {log.read_text(errors='replace')[-1500:]}")

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _first_port() -> int:
    """Where to look for ports: below those that are handed out for one by one."""
    return ports.FIRST - 10_000 + ports.claim() * 37 % 9_000


def eventually(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
