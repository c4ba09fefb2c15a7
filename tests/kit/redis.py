"""One Redis server per test run, started when the first test asks; tests keep apart by ``channel prefix`` or database.

It listens on a loopback port and on a Unix socket, and stores nothing.
"""

import json
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.kit import guard, run_folder
from tests.kit.programs import find_redis

START_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Redis:
    """Where the server listens."""

    host: str
    port: int
    path: str


def start() -> Redis:
    """Return the run's Redis, starting it if need be."""
    with run_folder.locked("redis") as folder:
        note = folder / "redis.json"
        if not note.exists():
            note.write_text(json.dumps(asdict(_start(folder))))
        return Redis(**json.loads(note.read_text()))


def process_id() -> int:
    """The process id of the run's Redis."""
    running = start()
    with socket.create_connection((running.host, running.port), timeout=5) as connection:
        connection.sendall(b"INFO server\r\nQUIT\r\n")
        text = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(text.partition(b"process_id:")[2].split()[0])


def _start(folder: Path) -> Redis:
    redis = Redis("127.0.0.1", _free_port(), str(folder / "redis.sock"))
    command = [str(find_redis().path), "--bind", redis.host, "--port", str(redis.port), "--unixsocket", redis.path]
    guard.launch("redis", [*command, "--save", "", "--appendonly", "no", "--dir", str(folder)], folder)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not _answers(redis):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Redis did not start:\n{(folder / 'redis.log').read_text()}")
        time.sleep(0.02)
    return redis


def _answers(redis: Redis) -> bool:
    try:
        with socket.create_connection((redis.host, redis.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
