"""A server that is several processes behind a proxy: each has a name and a log of its own, and ends with the tests.

What the processes are, and when they are ready, is in ``cluster`` for our server, in ``synapse_cluster`` for Synapse.
"""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from tests.kit import dies_with_parent
from tests.kit.server import ROOT, STOP_TIMEOUT_SECONDS, Server

PROXY = "proxy"


class ManyProcesses(Server, ABC):
    """One server of many processes, each of a kind. One of them can be killed, stopped or started by its name."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    @abstractmethod
    def kinds(self) -> list[str]:
        """The kinds that have processes; the proxy is not among them."""

    @abstractmethod
    def names(self, kind: str | None = None) -> list[str]:
        """The names of the processes of a kind, or of all kinds; the proxy is not among them."""

    @abstractmethod
    def command_of(self, name: str) -> list[str]:
        """The command that runs a process, or the proxy."""

    def launch(self) -> None:
        """Start what does not run, and return at once."""
        for name in (*self.names(), PROXY):
            if name not in self._running:
                self.launch_one(name)

    def launch_one(self, name: str) -> None:
        """Start one process, and return at once."""
        wrapper = [sys.executable, dies_with_parent.__file__, str(os.getpid())]
        command = [*wrapper, *self.command_of(name)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill9(self, name: str | None = None) -> None:
        """Kill one process as a broken machine does, or all of them."""
        self._finish([PROXY, *self.names()] if name is None else [name], signal.SIGKILL)

    def stop_one(self, name: str) -> int:
        """Stop one process as an administrator does; its exit code."""
        return self._finish([name], signal.SIGTERM)

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process, which stays among those that run."""
        self._running[name].send_signal(number)

    def pid_of(self, name: str) -> int:
        """The process id; KeyError if it does not run."""
        return self._running[name].pid

    def dead(self) -> list[str]:
        """Those that were started and have ended by themselves."""
        return [name for name in self._running if self._running[name].poll() is not None]

    def wait_for(self, names: Sequence[str], deadline: float) -> None:
        """Wait a moment for processes to become ready. RuntimeError shows the logs if one is dead, or it is too late.

        `deadline` is in the seconds of `time.monotonic`.
        """
        dead = self.dead()
        if dead or time.monotonic() > deadline:
            text = self.log_text()
            self.kill9()
            raise RuntimeError(f"dead: {dead}, not ready: {names}:\n{text[-6000:]}")
        time.sleep(0.05)

    def log_of(self, name: str) -> str:
        """What one process has printed."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def log_text(self) -> str:
        """What all processes have printed, one after the other; of the proxy only what is no request."""
        said = [f"--- {name}\n{self.log_of(name)}" for name in self.names()]
        proxy = [line for line in self.log_of(PROXY).splitlines() if "matrix " not in line]
        return "\n".join([*said, f"--- {PROXY}", *proxy[-20:]])

    def _end(self, how: signal.Signals) -> int:
        """The proxy first, so that clients see one end; then all others at once."""
        self._finish([PROXY], how)
        return self._finish(self.names(), how)

    def _finish(self, names: Sequence[str], how: signal.Signals) -> int:
        """End processes; 0 if each of them ended well."""
        ending = {name: self._running.pop(name) for name in names if name in self._running}
        for process in ending.values():
            process.send_signal(how)
        codes = [self._ended(name, process) for name, process in ending.items()]
        return next((code for code in codes if code != 0), 0)

    def _ended(self, name: str, process: "subprocess.Popen[bytes]") -> int:
        try:
            return process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{name} did not stop:\n{self.log_of(name)[-6000:]}") from None
