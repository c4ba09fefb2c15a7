"""Hands out TCP ports of loopback that nobody else of the run gets.

They lie below the range that the system takes for outgoing connections: else, while a server is down, one of its
clients could be given the server's own port.
"""

import os
import socket

from tests.kit import run_folder

FIRST, LAST = 20_000, 29_999


def claim() -> int:
    """Return a port that is free now and is not given out again in this run."""
    with run_folder.locked("ports") as folder:
        note = folder / "ports.next"
        port = int(note.read_text()) if note.exists() else FIRST + os.getpid() * 61 % (LAST - FIRST)
        while not _is_free(port):
            port = _next(port)
        note.write_text(str(_next(port)))
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
