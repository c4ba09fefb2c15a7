"""What Sentry hears: errors with a traceback, the request and the process; nothing of what users wrote."""

import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from synapse_like.toolkit.randomness import Randomness
from workers.cli.data_folder import CONFIG_FILE, make

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import logging, sys
from synapse_like.toolkit.config.observability import SentryConfig
from synapse_like.toolkit.error_reports import set_up_error_reports
from synapse_like.toolkit.logs import name_process, request_at_work, set_up_logs

def answer(content, access_token):
    wanted = {"body": content}
    if content == "type": return content + 1
    if content == "cause":
        try: answer("key", access_token)
        except KeyError as error: raise RuntimeError(content + access_token) from error
    raise KeyError(f"{wanted} {access_token}")

set_up_logs("INFO", "text")
set_up_error_reports(SentryConfig(dsn=sys.argv[1], environment="test"))
name_process("event_writer", "writer-2")
log = logging.getLogger("synapse_like.rooms")
log.error("the secret soup is not told without a traceback: %s", "hush-arguments")
log.info("neither is hush-info")
for content in ("hush-content", "type", "cause"):
    with request_at_work(f"PUT-{content[0]}"):
        try:
            answer(content, "hush-token")
        except Exception:
            log.exception("Failed to answer %s %s", "PUT", "/hush-path", extra={"body": "hush-extra"})
"""


class Receiver:
    """Takes the envelopes of Sentry's library."""

    def __init__(self) -> None:
        self.envelopes: list[list[Any]] = []
        receiver = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.envelopes.append([json.loads(line) for line in body.splitlines()])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.dsn = f"http://key@127.0.0.1:{self._server.server_port}/1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, by their time."""
        found = [line for envelope in self.envelopes for line in envelope if "exception" in line]
        return sorted(found, key=lambda event: event["timestamp"])


@pytest.fixture
def receiver():
    started = Receiver()
    yield started
    started.stop()


def test_what_is_reported(receiver):
    command = [sys.executable, "-c", PROGRAM, receiver.dsn]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback") == 4, "the log has it all"
    assert "hush" not in json.dumps(receiver.envelopes)
    first, second, third = receiver.events
    assert first["tags"] == {"kind": "event_writer", "instance": "writer-2", "request_id": "PUT-h"}
    assert first["server_name"] == "writer-2"
    assert first["environment"] == "test"
    assert first["release"].startswith("synapse-like@")
    assert first["logentry"] == {"message": "Failed to answer %s %s"}
    (error,) = first["exception"]["values"]
    assert (error["type"], error["value"]) == ("KeyError", "(in the log of the process)")
    assert error["stacktrace"]["frames"][-1]["function"] == "answer"
    assert not any("vars" in frame for frame in error["stacktrace"]["frames"])
    assert second["tags"]["request_id"] == "PUT-t"
    (error,) = second["exception"]["values"]
    assert error["value"] == 'can only concatenate str (not "int") to str'
    assert {value["type"] for value in third["exception"]["values"]} == {"KeyError", "RuntimeError"}
    assert not set(first) & {"breadcrumbs", "extra", "request", "user", "modules", "threads"}


def test_the_server_reports_where_its_configuration_says(receiver, tmp_path):
    make(tmp_path / "data", "localhost", 8008, Randomness())
    (tmp_path / "broken.key").write_text("no key at all\n")
    more = f"signing_key_path: {tmp_path / 'broken.key'}\nsentry: {{dsn: '{receiver.dsn}'}}\n"
    (tmp_path / "more.yaml").write_text(more)
    configs = ["-c", str(tmp_path / "data" / CONFIG_FILE), "-c", str(tmp_path / "more.yaml")]
    command = [sys.executable, "-m", "synapse_like", *configs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "The server did not start" in done.stderr
    (event,) = receiver.events
    assert event["tags"]["instance"] == "main"
    assert event["level"] == "fatal"
    assert str(tmp_path) not in json.dumps(event["exception"]["values"][0]["value"])
