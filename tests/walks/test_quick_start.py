"""What the README promises, with the real commands: start, first user, chat, check, stop, start again, files merged."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit import dies_with_parent, ports
from tests.kit.client import PASSWORD, Client
from tests.kit.server import ROOT

CONSOLE = ("-c", "import sys; from workers.cli.commands import main; sys.exit(main())")
SERVER = ("-m", "synapse_like")
START_SECONDS = 60
STOP_SECONDS = 5.0

Start = Callable[..., "Running"]


class Running:
    """A server process that has said READY=1 to its NOTIFY_SOCKET."""

    def __init__(self, folder: Path, program: Sequence[str], arguments: Sequence[str]) -> None:
        self._address = folder / f"notify{time.monotonic_ns()}"
        wrapped = [sys.executable, dies_with_parent.__file__, str(os.getpid()), sys.executable, *program, *arguments]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(self._address))
            systemd.settimeout(START_SECONDS)
            self._process = subprocess.Popen(
                wrapped, cwd=folder, env=_environment(NOTIFY_SOCKET=str(self._address)), text=True, **_PIPES
            )
            assert systemd.recv(100) == b"READY=1"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Stop it, which must be clean and quick; what it printed."""
        began = time.monotonic()
        self._process.send_signal(number)
        said, _ = self._process.communicate(timeout=20)
        assert time.monotonic() - began < STOP_SECONDS, said
        assert self._process.returncode == 0, said
        assert "Traceback" not in said
        return said

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


_PIPES: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program with arguments; what still runs at the end is killed."""
    started: list[Running] = []

    def run(program: Sequence[str], *arguments: str) -> Running:
        started.append(Running(tmp_path, program, arguments))
        return started[-1]

    yield run
    for running in started:
        running.end()


def test_the_first_five_minutes(start: Start, tmp_path: Path) -> None:
    port = ports.claim()
    client = Client(f"http://127.0.0.1:{port}")
    server = start(CONSOLE, "up", "--data", "data", "--port", str(port))
    assert b"It works" in client.call("GET", "/")
    made = _synapse_like(tmp_path, "register-user", "-c", "data/homeserver.yaml", "--admin", "-p", "-", "alice")
    assert made == (0, "Made @alice:localhost, an administrator.\n")
    alice = client.login("alice")
    room_id = alice.create_room(name="Kitchen")
    event_id = alice.send(room_id, "Soup is ready", "1")
    checked = _synapse_like(tmp_path, "check-config", "-c", "data/homeserver.yaml")
    assert checked == (0, "The configuration of localhost is usable: 1 listener(s), SQLite.\n")
    since = alice.sync()["next_batch"]
    said = server.stop()
    assert f"http://localhost:{port}" in said
    assert "register-user -c data/homeserver.yaml --admin alice" in said

    again = start(CONSOLE, "up", "--data", "data")
    assert alice.send(room_id, "Soup is ready", "1") == event_id
    assert alice.history(room_id)[-1]["event_id"] == event_id
    assert room_id not in alice.sync(since=since).get("rooms", {}).get("join", {})
    assert "Making the data folder" not in again.stop(signal.SIGINT)


def test_files_are_merged_by_top_level_key_and_later_ones_win(start: Start, tmp_path: Path) -> None:
    first, second = ports.claim(), ports.claim()
    chosen = ["--server-name", "one.example", "--port", str(first)]
    assert _synapse_like(tmp_path, "generate-config", "data", *chosen)[0] == 0
    listener = {"port": second, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["client"]}]}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"listeners": [listener]}))
    (tmp_path / "last.yaml").write_text(yaml.safe_dump({"public_baseurl": "https://chat.one.example/"}))
    files = ["-c", "data/homeserver.yaml", "-c", "more.yaml", "-c", "last.yaml"]
    assert _synapse_like(tmp_path, "check-config", *files)[0] == 0
    server = start(SERVER, *files)
    made = _synapse_like(tmp_path, "register-user", *files, "-p", "-", "bob")
    assert made == (0, "Made @bob:one.example.\n")
    client = Client(f"http://127.0.0.1:{second}")
    assert client.login("bob").user_id == "@bob:one.example"
    told = client.call("GET", "/.well-known/matrix/client")
    assert told["m.homeserver"]["base_url"].rstrip("/") == "https://chat.one.example"
    with pytest.raises(ConnectionRefusedError):
        Client(f"http://127.0.0.1:{first}").call("GET", "/")
    server.stop()


def test_a_configuration_with_mistakes_names_them_all_and_starts_nothing(tmp_path: Path) -> None:
    wrong = {
        "server_name": "one.example",
        "listenrs": [],
        "database": {"name": "mysql"},
        "enable_registration": "often",
    }
    (tmp_path / "homeserver.yaml").write_text(yaml.safe_dump(wrong, sort_keys=False))
    for program in ((*CONSOLE, "check-config"), SERVER):
        code, said = _run(tmp_path, program, "-c", "homeserver.yaml")
        assert code == 2
        assert "Traceback" not in said
        assert [word for word in ("homeserver.yaml:4", "enable_registration", "mysql") if word not in said] == []


@pytest.mark.parametrize("choice", [("--port", "99999"), ("--port", "http"), ("--server-name", "two words")])
def test_a_choice_that_cannot_be_leaves_no_folder_behind(tmp_path: Path, choice: tuple[str, str]) -> None:
    code, said = _synapse_like(tmp_path, "up", "--data", "data", *choice)
    assert code in (1, 2)
    assert choice[1] in said
    assert not (tmp_path / "data").exists()


def _synapse_like(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the console command with the tests' password as its standard input: (exit code, what it printed)."""
    return _run(folder, CONSOLE, *arguments)


def _run(folder: Path, program: Sequence[str], *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=_environment(),
        input=PASSWORD + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}
