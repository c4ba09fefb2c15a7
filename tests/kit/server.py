"""The real server as a process of its own: ``python -m synapse_like -c homeserver.yaml``, on SQLite or PostgreSQL.

A module of tests imports the fixture ``server``. How to speak to it is in ``client``; parts of the server inside the
test's own process are elsewhere in ``tests/kit``.
"""

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit import dies_with_parent, ports, postgres
from tests.kit.client import Client

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("sqlite", "postgresql")
COMMAND = (sys.executable, "-m", "synapse_like")
SERVER_NAME = "test.example"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
SECRET = "a secret of tests"

_OFTEN = {"per_second": 1e6, "burst_count": 1_000_000}
UNLIMITED: dict[str, Any] = {
    "rc_message": _OFTEN,
    "rc_registration": _OFTEN,
    "rc_login": {"address": _OFTEN, "account": _OFTEN, "failed_attempts": _OFTEN},
    "rc_joins": {"local": _OFTEN, "remote": _OFTEN},
    "rc_joins_per_room": _OFTEN,
    "rc_invites": {"per_room": _OFTEN, "per_user": _OFTEN, "per_issuer": _OFTEN},
    "rc_room_creation": _OFTEN,
    "rc_presence": {"per_user": _OFTEN},
    "rc_reports": _OFTEN,
}


class Server:
    """One server with its folder, port and database, which outlive its process."""

    command: tuple[str, ...] = COMMAND

    def __init__(self, folder: Path, database: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = ports.claim()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (folder / "signing.key").write_text(f"ed25519 a_test {seed}\n")
        (folder / "homeserver.yaml").write_text(yaml.safe_dump(self._configuration(database) | dict(options or {})))

    def launch(self) -> None:
        """Start the process and return at once."""
        wrapper = [sys.executable, dies_with_parent.__file__, str(os.getpid())]
        command = [*wrapper, *self.command, "-c", str(self.folder / "homeserver.yaml")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start the process and return when it answers; RuntimeError shows the end of its log."""
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.kill9()
                raise RuntimeError(f"the server did not start:\n{self.log_text()[-6000:]}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop it as an administrator does, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """Kill it as a broken machine does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again, on the same port."""
        self.stop()
        self.start()

    def log_text(self) -> str:
        """Return what all its processes have printed so far."""
        return self.log.read_text(errors="replace")

    def answers(self) -> bool:
        """Tell whether it answers requests."""
        try:
            return self.visitor.request("GET", "/_matrix/client/versions", timeout_seconds=5)[0] == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The process id; RuntimeError if it is not running."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def visitor(self) -> Client:
        """A client without a session."""
        return Client(self.url)

    def register(self, name: str) -> Client:
        """A new user's session."""
        return self.visitor.register(name)

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"the server did not stop:\n{self.log_text()[-6000:]}") from None

    def _configuration(self, database: Mapping[str, Any]) -> dict[str, Any]:
        resources = [{"names": ["client"], "compress": False}]
        listener = {"port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": resources}
        return {
            "server_name": SERVER_NAME,
            "report_stats": False,
            "public_baseurl": f"{self.url}/",
            "listeners": [listener],
            "database": dict(database),
            "signing_key_path": str(self.folder / "signing.key"),
            "media_store_path": str(self.folder / "media"),
            "macaroon_secret_key": SECRET,
            "form_secret": SECRET,
            "registration_shared_secret": SECRET,
            "trusted_key_servers": [],
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "room_list_publication_rules": [{"action": "allow"}],
            **UNLIMITED,
        }


def open_server(kind: str, folder: Path, options: Mapping[str, Any] | None = None) -> Server:
    """Return a server that is not yet started, on an empty database of that kind."""
    if kind == "sqlite":
        return Server(folder, {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}, options)
    arguments = {**postgres.create_database(), "cp_min": 2, "cp_max": 5}
    return Server(folder, {"name": "psycopg2", "args": arguments}, options)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A running server with an empty database; stopped at the end, see ``watched``."""
    with watched(open_server(request.param, tmp_path)) as running:
        yield running


@contextmanager
def watched(server: Server) -> Iterator[Server]:
    """Run a server for a test; of a failed one pytest shows the end of the log.

    A traceback in the log fails the test, whatever the client saw.
    """
    with server as running:
        yield running
    print(running.log_text()[-6000:])
    assert "Traceback" not in running.log_text()
