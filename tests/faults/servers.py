"""A Redis and a PostgreSQL of a test's own, which it may kill, stop and start again at the same address."""

import os
import shutil
import signal
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final

import psycopg2

from tests.kit import guard, ports, postgres, run_folder
from tests.kit.programs import find_postgres, find_redis
from workers.supervisor.programs import reachable_copy, unprivileged_user

LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
SETTINGS: Final = ("max_connections=200", "shared_buffers=64MB", "fsync=off", "autovacuum=off")
"""The disk is not waited for: what dies in these tests is processes, not the machine."""


class OwnServer(ABC):
    """A program that listens at a port of loopback, in a folder of its own below that of the run."""

    name = ""
    user: str | None = None

    def __init__(self) -> None:
        self.port = ports.claim()
        self.folder = Path(tempfile.mkdtemp(prefix=f"own-{self.name}-", dir=run_folder.path()))
        self.folder.chmod(0o755)

    def start(self) -> None:
        """Start it; returns when it answers."""
        guard.launch(self.name, self.command(), self.folder, self.user)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it as an administrator does, who does not wait for its clients to leave."""
        end = self.folder / "end"
        end.touch()
        self._wait_for_end()
        end.unlink()

    def kill9(self) -> None:
        """Kill it as a broken machine does."""
        os.kill(self.process_id(), signal.SIGKILL)
        self._wait_for_end()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def log_text(self) -> str:
        """The end of what it has printed."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")[-4000:]

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is there."""

    @abstractmethod
    def process_id(self) -> int:
        """Its process."""

    def _wait_for_end(self) -> None:
        pid = int((self.folder / f"{self.name}.guard").read_text())
        deadline = time.monotonic() + STOP_SECONDS
        while run_folder.is_running(pid):
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.02)


class OwnRedis(OwnServer):
    """Redis without storage."""

    name = "redis"

    def command(self) -> list[str]:
        """What runs it."""
        where = ["--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder)]
        return [str(find_redis().path), *where, "--save", "", "--appendonly", "no", "--pidfile", str(self._note)]

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def process_id(self) -> int:
        """Its process."""
        return int(self._note.read_text())

    @property
    def _note(self) -> Path:
        return self.folder / "redis.pid"


class OwnPostgres(OwnServer):
    """A PostgreSQL cluster with an empty database ``server``."""

    name = "postgres"

    def __init__(self) -> None:
        super().__init__()
        self.user = unprivileged_user()
        home = self.folder / "home"
        home.mkdir()
        if self.user:
            shutil.chown(home, self.user)
        self._program = reachable_copy(find_postgres().path, self.user, self.folder)
        self._data = postgres.initialised(self._program, home, self.user)
        self.start()
        connection = psycopg2.connect(**{**self.arguments(self.port), "dbname": "postgres"})
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE server")
        connection.close()

    def arguments(self, port: int) -> dict[str, Any]:
        """How to connect at that port (ours, or of a line to it)."""
        return {"host": LOOPBACK, "port": port, "user": postgres.USER, "dbname": "server"}

    def crash(self) -> None:
        """Let it end at once, without a word to anybody, and start it again: it has to recover."""
        os.kill(self.process_id(), signal.SIGQUIT)
        self._wait_for_end()
        self.start()

    def command(self) -> list[str]:
        """What runs it."""
        places = (f"port={self.port}", f"listen_addresses={LOOPBACK}", f"unix_socket_directories={self._data.parent}")
        options = [part for setting in (*SETTINGS, *places) for part in ("-c", setting)]
        return [str(self._program), "-D", str(self._data), *options]

    def answers(self) -> bool:
        """Whether it lets somebody in."""
        try:
            psycopg2.connect(**{**self.arguments(self.port), "dbname": "postgres"}).close()
        except psycopg2.OperationalError:
            return False
        return True

    def process_id(self) -> int:
        """Its first process."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])
