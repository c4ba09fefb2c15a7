"""The server process: ready, told to systemd, stopped by signals within five seconds, exit codes."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synapse_like.toolkit.randomness import Randomness
from workers.cli.data_folder import CONFIG_FILE, make

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, threading
from twisted.internet.defer import Deferred
from workers.cli.serving import Serving

class Fake:
    def __init__(self, settings, reactor): pass
    async def start(self):
        if sys.argv[2] == "broken": raise RuntimeError("no luck")
        if sys.argv[2] == "taken": raise OSError("the port is in use")
    async def stop(self):
        print("stopped", flush=True)
        if sys.argv[2] == "hangs": await Deferred()
        if sys.argv[2] == "stuck": threading.Event().wait()

sys.exit(Serving([sys.argv[1]], Fake, lambda settings: print("ready", flush=True)).run())
"""


@pytest.fixture
def run(tmp_path):
    make(tmp_path / "data", "localhost", 8008, Randomness())
    started = []

    def start(how, **environment):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data" / CONFIG_FILE), how]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _stop(process, number=signal.SIGTERM):
    """Wait for it to be ready, send a signal; (seconds, exit code, what it said)."""
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(number)
    said, errors = process.communicate(timeout=20)
    return time.monotonic() - began, process.returncode, said + errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(run, number):
    seconds, code, said = _stop(run("well"), number)
    assert code == 0
    assert "stopped" in said
    assert seconds < 5


@pytest.mark.parametrize(("how", "code"), [("hangs", 0), ("stuck", 1)])
def test_it_stops_within_five_seconds_whatever_hangs(run, how, code):
    seconds, returned, _ = _stop(run(how))
    assert returned == code
    assert seconds < 5.5


def test_a_log_config_that_cannot_be_used_is_named(tmp_path):
    make(tmp_path / "data", "localhost", 8008, Randomness())
    (tmp_path / "log.yaml").write_text("version: 1\nroot: {handlers: [missing]}\n")
    (tmp_path / "more.yaml").write_text(f"log_config: {tmp_path / 'log.yaml'}\n")
    configs = ["-c", str(tmp_path / "data" / CONFIG_FILE), "-c", str(tmp_path / "more.yaml")]
    command = [sys.executable, "-m", "synapse_like", *configs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"log_config: cannot use {tmp_path / 'log.yaml'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_systemd_hears_of_ready_and_stopping(run, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        process = run("well", NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert select.select([systemd], [], [], 20)[0]
        assert systemd.recv(100) == b"READY=1"
        assert _stop(process)[1] == 0
        assert systemd.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(("how", "words"), [("broken", "no luck"), ("taken", "the port is in use")])
def test_a_server_that_cannot_start_says_why_and_fails(run, how, words):
    process = run(how)
    said, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert words in errors
    assert ("Traceback" in errors) == (how == "broken")
    assert "ready" not in said
