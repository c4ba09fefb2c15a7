"""A real server of several processes behind HAProxy on PostgreSQL, with the interface of ``tests.kit.server.Server``.

A module of tests imports the fixture ``server`` from here, and its tests run twice: with Redis, and with the bus over
TCP. One process can be killed, stopped or started by its name; nothing starts it again by itself.
"""

import csv
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from synapse_like.toolkit.db.errors import DatabaseError
from tests.kit import ports, postgres, proxies, redis
from tests.kit.client import Client
from tests.kit.processes import PROXY, ManyProcesses
from tests.kit.server import START_TIMEOUT_SECONDS, Server, watched
from workers.kinds import KINDS, MAIN
from workers.routes.command import render
from workers.routes.owners import OwnersMap, empty_map
from workers.routes.plan import Owners
from workers.routes.upstreams import Address
from workers.supervisor.layout import LOOPBACK, Place, upstreams_of
from workers.supervisor.supervisor import TELL_SECONDS

BUSES = ("redis", "tcp")
PROCESSES: Mapping[str, int] = {"event_writer": 2, "sync": 2, "client": 2}
LEASE = "3s"


class Cluster(ManyProcesses):
    """One server of many processes. `places` are its processes by name; each has a log of its own in the folder."""

    def __init__(
        self,
        folder: Path,
        bus: str = "redis",
        counts: Mapping[str, int] = PROCESSES,
        options: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        arguments = {**postgres.create_database(durable=durable), "cp_min": 1, "cp_max": 5}
        more: dict[str, Any] = {"worker_lease": LEASE, **(options or {})}
        if bus == "redis":
            more["redis"] = {"enabled": True, "path": redis.start().path}
        super().__init__(folder, {"name": "psycopg2", "args": arguments}, more)
        self.places: dict[str, Place] = {}
        self._telling: threading.Thread | None = None
        for kind in KINDS:
            for number in range(1, (1 if kind is MAIN else counts.get(kind.name, 0)) + 1):
                name = kind.name if kind is MAIN else f"{kind.name}{number}"
                self.places[name] = Place(kind, name, _claimed(), _claimed())
        owners = Owners(folder / "owners.map", folder / "proxy.sock")
        self._proxy_commands = owners.commands
        owners.path.write_text(empty_map())
        self.dsn = {key: value for key, value in arguments.items() if not key.startswith("cp_")}
        self._owners = OwnersMap(self.dsn, owners.path, owners.commands)
        listen = [Address(LOOPBACK, self.port)]
        text = render("haproxy", upstreams_of(list(self.places.values())), listen, owners=owners)
        (folder / "haproxy.cfg").write_text(text)

    @property
    def kinds(self) -> list[str]:
        """The kinds that have processes."""
        return list(dict.fromkeys(place.kind.name for place in self.places.values()))

    def names(self, kind: str | None = None) -> list[str]:
        """The names of the processes of a kind, or of all kinds."""
        return [name for name, place in self.places.items() if kind in (None, place.kind.name)]

    def command_of(self, name: str) -> list[str]:
        """The command that runs a process, or the proxy."""
        if name == PROXY:
            return [proxies.find_haproxy(), "-db", "-f", str(self.folder / "haproxy.cfg")]
        config = str(self.folder / "homeserver.yaml")
        return self.places[name].command([sys.executable, "-m", "workers"], [config])

    def start(self) -> None:
        """Start what does not run; returns when every process is ready. RuntimeError shows the logs."""
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while waiting := [name for name in self.places if not self.is_ready(name)]:
            self.wait_for(waiting, deadline)
        while not self._is_served():
            assert time.monotonic() < deadline, self.log_text()[-6000:]
            time.sleep(0.05)
        if self._telling is None:
            self._telling = threading.Thread(target=self._tell_proxy, daemon=True)
            self._telling.start()

    def is_ready(self, name: str) -> bool:
        """Whether a process wants requests."""
        return _status(Client(f"http://{self.places[name].listen}"), "/health/ready") == 200

    def start_one(self, name: str) -> None:
        """Start one process; returns when it is ready."""
        self.launch_one(name)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.is_ready(name):
            assert time.monotonic() < deadline, self.log_of(name)[-6000:]
            time.sleep(0.05)

    def _tell_proxy(self) -> None:
        """Tell the proxy who owns which rooms, as the cluster command does, until it is gone."""
        while PROXY in self._running:
            with suppress(OSError, DatabaseError):
                self._owners.refresh()
            time.sleep(TELL_SECONDS)
        self._telling = None

    def _is_served(self) -> bool:
        """Whether the proxy has seen that every process is well: nothing falls back to another kind any more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            try:
                link.connect(str(self._proxy_commands))
                link.sendall(b"show stat\n")
                text = b"".join(iter(lambda: link.recv(65_536), b"")).decode()
            except OSError:
                return False
        rows = list(csv.DictReader(text.removeprefix("# ").splitlines()))
        checked = [row for row in rows if row["check_status"]]
        return bool(checked) and all(row["status"] == "UP" for row in checked)


def _claimed() -> Address:
    return Address(LOOPBACK, ports.claim())


def _status(client: Client, path: str) -> int:
    try:
        return client.request("GET", path, timeout_seconds=5)[0]
    except (OSError, HTTPException):
        return 0


@pytest.fixture(params=BUSES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A running cluster on an empty database, with each bus; stopped at the end."""
    with watched(Cluster(tmp_path, request.param)) as running:
        yield running
