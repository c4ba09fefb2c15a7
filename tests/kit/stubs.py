"""Stand-ins for processes behind a proxy: each answers every path and says who it is and what it was sent."""

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.kit import ports

READY_PATH = "/health/ready"


class Stub:
    """One stand-in. `is_ready` is what it says of itself, `hangs_up` makes it read requests and answer nothing."""

    def __init__(self, kind: str, name: str, port: int | None = None) -> None:
        self.kind = kind
        self.name = name
        self.port = port or ports.claim()
        self.is_ready = True
        self.hangs_up = False
        self.waits = threading.Event()
        self.waits.set()
        self.seen: list[str] = []
        self._server: _Server | None = None
        self.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen (again)."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), _answering(self))
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.close_all()


class _Server(ThreadingHTTPServer):
    """Closes its connections when it ends, as the system does for a process."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 100
    allow_reuse_address = True

    def __init__(self, *options: Any) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        """End every connection."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _answering(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.requestline.split(" ")[1]
            headers = {name.lower(): ",".join(self.headers.get_all(name) or ()) for name in self.headers}
            said = {"kind": stub.kind, "name": stub.name, "path": target, "headers": headers, "length": len(body)}
            if target == READY_PATH:
                self._reply(200 if stub.is_ready else 503, said)
                return
            stub.seen.append(f"{self.command} {target}")
            if stub.hangs_up:
                self.close_connection = True
                return
            stub.waits.wait(30)
            self._reply(200, said)

        def _reply(self, status: int, said: dict[str, Any]) -> None:
            raw = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            if stub.hangs_up:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
        setattr(Answering, f"do_{method}", Answering._answer)
    return Answering
