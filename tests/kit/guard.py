"""Keeps one server of a test run alive exactly as long as the run.

``python -m tests.kit.guard NAME OWNER_PID USER COMMAND...`` starts COMMAND (as USER, if the name is not ``-``), writes
its own process id to NAME.guard in the current folder, and ends the server (SIGINT, then SIGKILL) when the file
``end`` appears or the process OWNER_PID is gone. In the latter case it also removes the folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

# By path, not by package: the guard runs in the run's folder and must not depend on where it is.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.kit import run_folder


def launch(name: str, command: list[str], folder: Path, user: str | None = None) -> None:
    """Start a guard with its server in ``folder``; what both print goes to NAME.log there."""
    with (folder / f"{name}.log").open("ab") as log:
        guard = subprocess.Popen(
            [sys.executable, __file__, name, str(run_folder.owner()), user or "-", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / f"{name}.guard").write_text(str(guard.pid))


def main(name: str, owner: int, user: str, command: list[str]) -> None:
    """Run the server until the run ends."""
    folder = Path.cwd()
    server = subprocess.Popen(command, user=None if user == "-" else user, extra_groups=None if user == "-" else [])
    signal.signal(signal.SIGTERM, lambda *_: (folder / "end").touch())
    while server.poll() is None and not (folder / "end").exists() and run_folder.is_running(owner):
        time.sleep(0.1)
    _stop(server)
    if not run_folder.is_running(owner):
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """SIGINT is PostgreSQL's fast shutdown, and a normal stop for Redis."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
