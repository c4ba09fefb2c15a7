"""Hands out TCP ports of loopback that no other test gets, of this run or of another one on this machine.

They lie below the range that the system takes for outgoing connections: else, while a server is down, one of its
clients could be given the server's own port.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 20_000, 29_999


def claim() -> int:
    """Return a port that is free now and is not given out again before all others were."""
    note = Path(tempfile.gettempdir()) / f"synapse-like-tests-ports-of-{os.getuid()}"
    with note.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or FIRST)
        while not _is_free(port):
            port = _next(port)
        file.truncate(0)
        file.write(str(_next(port)))
        return port


def _next(port: int) -> int:
    return port + 1 if port < LAST else FIRST


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
