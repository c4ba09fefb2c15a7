"""The cluster command: what it starts, what it does when something dies, how it ends. Its processes are stand-ins."""

import http.client
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit import ports, run_folder
from tests.workers.supervisor.running import DEADLINE_SECONDS, STOP_SECONDS, Cluster, eventually
from workers.supervisor.programs import unprivileged_user

SYNC = "/_matrix/client/v3/sync"
SEND = "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1"


def ask(port: int, path: str, method: str = "GET") -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def kind_at(port: int, path: str, method: str = "GET") -> Any:
    try:
        return ask(port, path, method).get("kind")
    except (OSError, http.client.HTTPException):
        return None


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder that PostgreSQL's user can reach; its database cluster is made once."""
    folder = Path(tempfile.mkdtemp(prefix="cluster", dir=run_folder.path()))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def port(data: Path) -> int:
    return ports.claim()


@pytest.fixture
def start(data: Path, port: int) -> Iterator[Callable[..., Cluster]]:
    """Start a cluster in the module's folder; it is killed at the end of the test if it still runs."""
    running: list[Cluster] = []

    def begin(*arguments: str, **options: Any) -> Cluster:
        running.append(Cluster(data, "--port", str(port), *arguments, **options))
        return running[-1]

    yield begin
    for cluster in running:
        cluster.kill()
        cluster.print_logs()


def is_gone(pid: int) -> bool:
    return not run_folder.is_running(pid)


def test_it_starts_everything_shows_it_and_stops_it(start: Any, data: Path, port: int) -> None:
    cluster = start("--event-writers", "2", "--sync", "2", "--client", "1").wait_until_ready()
    names = ["postgres", "redis", "main", "event_writer1", "event_writer2", "sync1", "sync2", "client1", "proxy"]
    assert [name for name in cluster.processes if not name.startswith("federation")] == names
    for name, process in cluster.processes.items():
        assert f"  {name} " in cluster.said
        assert str(process["pid"]) in cluster.said
        assert Path(process["log"]).is_file()
    eventually(lambda: kind_at(port, SYNC) == "sync")
    eventually(lambda: kind_at(port, SEND, "PUT") == "event_writer")
    second = start()
    assert second.process.wait(DEADLINE_SECONDS) == 1
    assert "is running in" in second.said
    pids = [process["pid"] for process in cluster.processes.values()]
    assert cluster.stop() < STOP_SECONDS
    assert all(is_gone(pid) for pid in pids)
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()
    assert "Traceback" not in cluster.said


def test_what_dies_is_started_again_where_it_was_and_others_answer_meanwhile(
    start: Any, port: int, tmp_path: Path
) -> None:
    refused = tmp_path / "refused"
    cluster = start(environment={"STAND_IN_REFUSES": str(refused)}).wait_until_ready()
    before = cluster.processes
    victims = ("sync1", "main", "proxy", "redis", "postgres")
    for name in victims:
        os.kill(before[name]["pid"], signal.SIGKILL)
    for name in victims:
        eventually(lambda name=name: cluster.pid(name) not in (None, before[name]["pid"]))  # type: ignore[misc]
        assert cluster.processes[name]["starts"] == 2
    assert cluster.processes["sync1"]["listen"] == before["sync1"]["listen"]
    assert cluster.pid("client1") == before["client1"]["pid"]
    eventually(lambda: kind_at(port, SYNC) == "sync")
    assert "sync1 ended (signal 9)" in cluster.said

    refused.write_text("sync")
    os.kill(cluster.pid("sync1"), signal.SIGKILL)
    eventually(lambda: kind_at(port, SYNC) == "main")
    eventually(lambda: cluster.processes["sync1"]["starts"] >= 4)
    refused.unlink()
    eventually(lambda: kind_at(port, SYNC) == "sync")
    cluster.stop(signal.SIGINT)


def test_nothing_outlives_a_supervisor_that_was_killed(start: Any) -> None:
    cluster = start().wait_until_ready()
    pids = [process["pid"] for process in cluster.processes.values()]
    cluster.kill()
    eventually(lambda: all(is_gone(pid) for pid in pids))
    start().wait_until_ready().stop()


def test_a_process_that_cannot_start_ends_it_with_words(start: Any, tmp_path: Path) -> None:
    (tmp_path / "refused").write_text("event_writer")
    cluster = start(environment={"STAND_IN_REFUSES": str(tmp_path / "refused")})
    assert cluster.process.wait(DEADLINE_SECONDS) == 1
    assert "event_writer1 did not start; see" in cluster.said
    assert "event_writer1.log" in cluster.said
    assert "Traceback" not in cluster.said
    assert all(process["pid"] is None for process in cluster.processes.values())


def test_being_stopped_while_starting_leaves_nothing(start: Any, data: Path) -> None:
    (data / "run" / "processes.json").unlink(missing_ok=True)
    cluster = start()
    eventually(lambda: (data / "run" / "processes.json").exists())
    cluster.process.send_signal(signal.SIGTERM)
    assert cluster.process.wait(STOP_SECONDS + 2) in (0, 1)
    assert all(process["pid"] is None for process in cluster.processes.values())
    assert "Traceback" not in cluster.said


def test_without_a_proxy_main_takes_all_requests(start: Any, port: int) -> None:
    cluster = start("--no-proxy", "--sync", "0").wait_until_ready()
    assert "main takes all requests" in cluster.said
    assert "sync1" not in cluster.processes
    assert kind_at(port, SYNC) == "main"
    cluster.stop()


def test_a_port_that_is_taken_is_named(start: Any, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        cluster = start()
        assert cluster.process.wait(DEADLINE_SECONDS) == 1
    assert f"port {port}" in cluster.said
    assert "Traceback" not in cluster.said


def test_a_folder_that_postgres_cannot_reach_is_refused_in_words(tmp_path: Path) -> None:
    if unprivileged_user() is None:
        pytest.skip("only root runs PostgreSQL as another user")
    cluster = Cluster(tmp_path / "d", "--port", str(ports.claim()))
    assert cluster.process.wait(DEADLINE_SECONDS) == 1
    assert "cannot reach" in cluster.said


def test_a_configuration_of_ones_own_must_name_postgresql(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ed25519 a_test AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
    settings = {"server_name": "a.example", "signing_key_path": "key", "database": {"name": "sqlite3"}}
    (tmp_path / "homeserver.yaml").write_text(yaml.safe_dump(settings))
    cluster = Cluster(tmp_path / "data", "-c", str(tmp_path / "homeserver.yaml"))
    assert cluster.process.wait(DEADLINE_SECONDS) == 1
    assert "SQLite is for one process" in cluster.said
