"""A Synapse with workers behind HAProxy, as its documentation describes them: the other side of benchmarks.

Beside the main process there are three. ``event_persister`` writes events. ``sync`` answers /sync. ``client`` answers
the other requests that a worker may take, makes the events that they ask for, and writes all other streams, whose
requests come to it. They hear of each other over the run's Redis. Which requests go where is in ``synapse_routes``.
"""

import time
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import yaml

from tests.kit import ports, proxies, redis, synapse_routes
from tests.kit.client import Client
from tests.kit.processes import PROXY, ManyProcesses
from tests.kit.server import SECRET, START_TIMEOUT_SECONDS
from tests.kit.synapse import Synapse

MAIN, PERSISTER, SYNC, CLIENT = "main", "event_persister", "sync", "client"
NAMES: Final = (MAIN, PERSISTER, SYNC, CLIENT)
STREAMS: Final = """
    typing to_device account_data receipts presence push_rules device_lists thread_subscriptions
""".split()
"""What `client` writes."""

_HOST = "127.0.0.1"
_WORKER = ("-m", "synapse.app.generic_worker")


class SynapseCluster(ManyProcesses, Synapse):
    """One Synapse of four processes on PostgreSQL; each has a log of its own in the folder."""

    def __init__(self, folder: Path, database: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> None:
        self._ports = {name: ports.claim() for name in NAMES}
        self._replication = {name: ports.claim() for name in (MAIN, PERSISTER, CLIENT)}
        super().__init__(folder, database, options, has_crossing=False)
        for name in NAMES[1:]:
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(self._worker(name)))
        backends = {name: self._ports[name] for name in (MAIN, SYNC, CLIENT)}
        (folder / "haproxy.cfg").write_text(synapse_routes.render(self.port, backends))

    @property
    def kinds(self) -> list[str]:
        """Each process is a kind of its own."""
        return list(NAMES)

    def names(self, kind: str | None = None) -> list[str]:
        """The names of the processes of a kind, or of all kinds."""
        return [name for name in NAMES if kind in (None, name)]

    def command_of(self, name: str) -> list[str]:
        """The command that runs a process, or the proxy."""
        shared = ["-c", str(self.folder / "homeserver.yaml")]
        if name == PROXY:
            return [proxies.find_haproxy(), "-db", "-f", str(self.folder / "haproxy.cfg")]
        if name == MAIN:
            return [*self.command, *shared]
        return [self.command[0], *_WORKER, *shared, "-c", str(self.folder / f"{name}.yaml")]

    def start(self) -> None:
        """Start what does not run: main first, which makes the tables. RuntimeError shows the logs."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        for names in (NAMES[:1], NAMES[1:]):
            for name in names:
                if name not in self._running:
                    self.launch_one(name)
            self._wait(names, deadline)
        if PROXY not in self._running:
            self.launch_one(PROXY)
        while not self.answers():
            self.wait_for([PROXY], deadline)

    def is_ready(self, name: str) -> bool:
        """Whether a process answers."""
        try:
            url = f"http://{_HOST}:{self._ports[name]}"
            return Client(url).request("GET", "/health", timeout_seconds=5)[0] == 200
        except (OSError, HTTPException):
            return False

    def _wait(self, names: tuple[str, ...], deadline: float) -> None:
        while waiting := [name for name in names if not self.is_ready(name)]:
            self.wait_for(waiting, deadline)

    def _configuration(self, database: Mapping[str, Any]) -> dict[str, Any]:
        """What all processes read."""
        return {
            **super()._configuration(database),
            "listeners": self._listeners(MAIN),
            "redis": {"enabled": True, "path": redis.start().path},
            "worker_replication_secret": SECRET.replace(" ", "_"),  # it is one word of a header
            "instance_map": {name: {"host": _HOST, "port": port} for name, port in self._replication.items()},
            "stream_writers": {"events": PERSISTER, **dict.fromkeys(STREAMS, CLIENT)},
        }

    def _worker(self, name: str) -> dict[str, Any]:
        """What one worker reads besides."""
        return {
            "worker_app": "synapse.app.generic_worker",
            "worker_name": name,
            "worker_log_config": str(self.folder / "log.yaml"),
            "worker_listeners": self._listeners(name),
        }

    def _listeners(self, name: str) -> list[dict[str, Any]]:
        """One for requests (of the persister, only whether it is well), and one for the other processes."""
        listeners = [_listener(self._ports[name], "health" if name == PERSISTER else "client")]
        if name in self._replication:
            listeners.append(_listener(self._replication[name], "replication"))
        return listeners


def _listener(port: int, resource: str) -> dict[str, Any]:
    resources = [{"names": [resource], "compress": False}]
    return {
        "port": port,
        "bind_addresses": [_HOST],
        "type": "http",
        "x_forwarded": resource == "client",
        "resources": resources,
    }
