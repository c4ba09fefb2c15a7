"""What the README promises of ``synapse-like cluster``: real processes, a chat, deaths, an end, and a second start."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.kit import ports, run_folder
from tests.kit.client import PASSWORD, Client, try_send
from tests.kit.server import ROOT
from tests.workers.supervisor.running import Cluster, eventually

CONSOLE = ("-c", "import sys; from workers.cli.commands import main; sys.exit(main(sys.argv[1:]))")
FEW = ("--event-writers", "2", "--sync", "1", "--client", "1", "--federation-receiver", "0", "--federation-sender", "0")


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that PostgreSQL's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="walk", dir=run_folder.path()))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.mark.timeout(300)
def test_a_cluster_lives_through_the_death_of_each_of_its_processes(data: Path) -> None:
    port = ports.claim()
    cluster = Cluster(data, "--port", str(port), *FEW, program=CONSOLE).wait_until_ready()
    try:
        _register(data, "alice")
        _register(data, "bob")
        visitor = Client(f"http://localhost:{port}")
        alice, bob = visitor.login("alice"), visitor.login("bob")
        room_id = alice.create_room(preset="public_chat")
        bob.join(room_id)
        sent = [alice.send(room_id, "all are well", "0")]
        since = bob.sync()["next_batch"]
        for number, name in enumerate(("event_writer1", "event_writer2", "sync1", "client1", "main"), 1):
            os.kill(int(cluster.pid(name) or 0), signal.SIGKILL)
            sent.append(_send(alice, room_id, f"without {name}", str(number)))
        eventually(lambda: all(process["pid"] for process in cluster.processes.values()))
        eventually(lambda: _bodies(bob, room_id, since) >= {"without sync1", "without main"})
        cluster.stop()
        assert "Traceback" not in cluster.said

        cluster = Cluster(data, *FEW, program=CONSOLE).wait_until_ready()
        history = [event["event_id"] for event in bob.history(room_id) if event["type"] == "m.room.message"]
        assert history == sent
        assert alice.send(room_id, "all are well", "0") == sent[0]
        cluster.stop()
    finally:
        cluster.kill()
        cluster.print_logs()


def _send(client: Client, room_id: str, text: str, transaction_id: str) -> str:
    """Send until it is acknowledged, with the same transaction id, as a client does."""
    found: list[str] = []

    def was_sent() -> bool:
        try:
            status, reply = try_send(client, room_id, text, transaction_id)
        except (OSError, HTTPException):
            return False
        assert status in (200, 429, 502, 503), (status, reply)
        if status == 200:
            found.append(reply["event_id"])
        return status == 200

    eventually(was_sent)
    return found[0]


def _bodies(client: Client, room_id: str, since: str) -> set[Any]:
    try:
        joined = client.sync(since=since)["rooms"]["join"]
    except (OSError, HTTPException, AssertionError):
        return set()
    return {event["content"].get("body") for event in joined[room_id]["timeline"]["events"]}


def _register(data: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, *CONSOLE, "register-user", "-c", str(data / "homeserver.yaml"), "-p", "-", name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
