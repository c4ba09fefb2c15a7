"""A process with ``--metrics``: its own address, open before the server is ready and until it has given all away."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import dies_with_parent, ports
from tests.kit.server import ROOT, open_server
from tests.workers.test_metrics_listener import fetch

PATIENCE_SECONDS = 90


class Running:
    """A process of kind main, by its two ports."""

    def __init__(self, folder: Path) -> None:
        config = open_server("postgresql", folder).folder / "homeserver.yaml"
        self.port, self.metrics = ports.claim(), ports.claim()
        places = ["--listen", f"127.0.0.1:{self.port}", "--metrics", f"127.0.0.1:{self.metrics}"]
        command = [sys.executable, "-m", "workers", "main", "-c", str(config), "--name", "main-7", *places]
        wrapper = [sys.executable, dies_with_parent.__file__, str(os.getpid())]
        self.log = folder / "process.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*wrapper, *command], cwd=ROOT, stdout=log, stderr=log)

    def until(self, status: int, words: str) -> list[tuple[int, str]]:
        """Ask whether it is ready until it says so; all its answers."""
        answers: list[tuple[int, str]] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers or answers[-1][0] != status or words not in answers[-1][1]:
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                answers.append(fetch(self.metrics, "/health/ready"))
            except OSError:
                time.sleep(0.02)
        return answers


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A process that was started."""
    started = Running(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


def test_the_address_for_machines_opens_first_and_closes_last(running: Running) -> None:
    before = running.until(200, '"is_ready":true')
    assert {status for status, _ in before[:-1]} <= {503}
    assert 'synapse_like_process_info{kind="main",name="main-7"' in fetch(running.metrics, "/metrics")[1]
    assert fetch(running.metrics, "/_matrix/client/versions")[0] == 404
    assert fetch(running.port, "/_matrix/client/versions")[0] == 200
    assert fetch(running.port, "/health/ready")[0] == 200
    for path in ("/metrics", "/_synapse/metrics"):
        assert fetch(running.port, path)[0] == 404, "what the proxy lets in gets no metrics"
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        head = b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        slow.sendall(head)
        assert b"100 Continue" in slow.recv(100), "half a request keeps the process for its grace"
        running.process.send_signal(signal.SIGTERM)
        running.until(503, '"phase":"draining"')
    assert running.process.wait(PATIENCE_SECONDS) == 0
    assert "GET-" in running.log.read_text()
    assert "@main-7 access" in running.log.read_text(), "ids of requests are unique among processes"
    assert "Traceback" not in running.log.read_text()
