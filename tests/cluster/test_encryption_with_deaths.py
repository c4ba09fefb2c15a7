"""Encryption while processes are killed and come back: no message stays unreadable."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.clients.js_sdk import run_scenario
from tests.kit.cluster import Cluster
from tests.kit.server import watched

MESSAGES = 500
VICTIMS = ("client1", "sync1", "event_writer1", "client2", "sync2")


@pytest.mark.timeout(480)
def test_every_message_can_be_read_though_processes_die(tmp_path: Path) -> None:
    with watched(Cluster(tmp_path, "tcp")) as server:
        assert isinstance(server, Cluster)
        ended = threading.Event()
        killed: list[str] = []
        killer = threading.Thread(target=_kill_in_turn, args=(server, ended, killed))
        killer.start()
        try:
            seen = _run(server.url, tmp_path / "js-sdk")
        finally:
            ended.set()
            killer.join()
        assert len(killed) >= 2
        assert len([each for each in seen["all"] if "/sendToDevice/" in each["path"]]) >= MESSAGES / 20


def _run(url: str, folder: Path) -> dict[str, Any]:
    return run_scenario("secrets.mjs", url, folder, "rotation", str(MESSAGES), "deaths", timeout_seconds=400)


def _kill_in_turn(server: Cluster, ended: threading.Event, killed: list[str]) -> None:
    """Kill one process after the other, each once the one before it is back."""
    for name in VICTIMS:
        if ended.wait(1):
            return
        server.kill9(name)
        killed.append(name)
        server.start_one(name)
