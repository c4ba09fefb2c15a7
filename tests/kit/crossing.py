"""The way to a server, which can be closed and opened again: a TCP proxy on a port of its own.

``close`` breaks all connections and refuses new ones, as a network does that has fallen apart; ``stall`` accepts them
and moves nothing, as one does that swallows packets.
"""

import select
import socket
import threading
from contextlib import suppress

CHUNK = 2**16


class Crossing:
    """Forwards what comes to ``port`` to another port of loopback."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._listener: socket.socket | None = None
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._may_flow = threading.Event()
        self._may_flow.set()
        self.open()

    def open(self) -> None:
        """Let everything through (again)."""
        self._may_flow.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Break what is open and refuse what comes."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self._break_all()
        self._may_flow.set()

    def stall(self) -> None:
        """Keep connections, and move nothing until ``open``."""
        self._may_flow.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.add((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
            if self._listener is not listener:
                self._break_all()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """Move bytes both ways until either side ends."""
        try:
            while True:
                readable, _, _ = select.select([near, far], [], [])
                self._may_flow.wait()
                for source in readable:
                    chunk = source.recv(CHUNK)
                    if not chunk:
                        return
                    (far if source is near else near).sendall(chunk)
        except (OSError, ValueError):
            return
        finally:
            with self._lock:
                self._pairs.discard((near, far))
            near.close()
            far.close()

    def _break_all(self) -> None:
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for side in pair:
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
