"""A real Synapse from PyPI: the partner of federation tests, and the other side of the benchmark.

It is installed into a virtual environment of its own, once per version, in ``.cache`` at the root of the repository;
nothing of it is imported here. ``shared`` is one server for the whole test run, which all processes of pytest-xdist
share; ``Synapse`` is one of a test's own.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.kit import guard, run_folder
from tests.kit.client import Client
from tests.kit.peers import Peer
from tests.kit.server import ROOT, START_TIMEOUT_SECONDS

REQUIREMENTS = ("matrix-synapse[redis]==1.163.*", "psycopg2-binary>=2.9.9")
CACHE = ROOT / ".cache"
_MODULE = ("-m", "synapse.app.homeserver")
_INSTALL_TIMEOUT_SECONDS = 240


class NotInstallable(Exception):
    """Synapse cannot be installed here: no network, or no wheel for this Python. Says why."""


@dataclass(frozen=True)
class Partner:
    """The run's Synapse, as seen from outside."""

    server_name: str
    url: str
    started_in_ms: int

    def register(self, name: str) -> Client:
        """A new user's session."""
        return Client(self.url).register(name)

    def user_id(self, name: str) -> str:
        """The full id of a user of this server."""
        return f"@{name}:{self.server_name}"


class Synapse(Peer):
    """One Synapse as a process. Its folder, port, database and signing key outlive the process."""

    def __init__(self, folder: Path, database: Mapping[str, Any], options: Any = None, **more: Any) -> None:
        self.command = (str(python()), *_MODULE)
        super().__init__(folder, database, options, **more)

    def _configuration(self, database: Mapping[str, Any]) -> dict[str, Any]:
        log = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"}},
            "filters": {"context": {"()": "synapse.logging.context.LoggingContextFilter"}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["context"]}},
            "loggers": {"synapse.storage.background_updates": {"level": "WARNING"}},
            "root": {"level": "INFO", "handlers": ["out"]},
        }
        (self.folder / "log.yaml").write_text(yaml.safe_dump(log))
        return {
            **super()._configuration(database),
            "log_config": str(self.folder / "log.yaml"),
            "suppress_key_server_warning": True,
            "caches": {"sync_response_cache_duration": "0s"},  # else a second first sync is the first one again
            "ip_range_blacklist": ["192.0.2.0/24"],  # its whitelist does not hold for names that are addresses
        }


@cache
def python() -> Path:
    """Return the Python that has Synapse, installing it first if need be; NotInstallable says why that failed."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    version = hashlib.sha256(repr((REQUIREMENTS, sys.version)).encode()).hexdigest()[:16]
    folder = CACHE / f"synapse-{version}"
    with (CACHE / "synapse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _install_once(folder)
    return folder / "bin" / "python"


def version() -> str:
    """Return the installed version."""
    ask = "from importlib.metadata import version; print(version('matrix-synapse'))"
    return subprocess.run([python(), "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def shared() -> Partner:
    """Return the run's Synapse on SQLite, starting it if need be; it ends with the run."""
    with run_folder.locked("synapse") as folder:
        note = folder / "synapse.json"
        if not note.exists():
            note.write_text(json.dumps(_start_shared(folder)))
        return Partner(**json.loads(note.read_text()))


def shared_log() -> str:
    """Return what the run's Synapse has logged so far."""
    return (run_folder.path() / "synapse.log").read_text(errors="replace")


def _start_shared(folder: Path) -> dict[str, Any]:
    home = folder / "synapse"
    home.mkdir()
    database = {"name": "sqlite3", "args": {"database": str(home / "homeserver.db")}}
    server = Synapse(home, database, host="127.0.0.1", has_crossing=False)
    began = time.monotonic()
    guard.launch("synapse", [*server.command, "-c", str(home / "homeserver.yaml")], folder)
    guard_pid = int((folder / "synapse.guard").read_text())
    while not server.answers():
        if time.monotonic() - began > START_TIMEOUT_SECONDS or not run_folder.is_running(guard_pid):
            raise RuntimeError(f"Synapse did not start:\n{shared_log()[-6000:]}")
        time.sleep(0.05)
    took_ms = int((time.monotonic() - began) * 1000)
    return {"server_name": server.server_name, "url": server.url, "started_in_ms": took_ms}


def _install_once(folder: Path) -> None:
    """Install it, or say again what went wrong the first time in this run."""
    failure = run_folder.path() / "synapse.failed"
    if failure.exists():
        raise NotInstallable(failure.read_text())
    try:
        _install(folder)
    except NotInstallable as reason:
        failure.write_text(str(reason))
        raise


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, "--only-binary=:all:", *REQUIREMENTS]):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=_INSTALL_TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise NotInstallable(f"Synapse was not installed within {_INSTALL_TIMEOUT_SECONDS} s") from None
        if done.returncode:
            raise NotInstallable(f"Synapse cannot be installed: {(done.stdout + done.stderr).strip()[-500:]}")
    (folder / "installed").touch()
