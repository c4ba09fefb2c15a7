"""Garbage on the port, clients that hang up in the middle, and kill -9 while the server starts."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.kit.client import V3, Client
from tests.kit.server import KINDS, Server, open_server, server, watched

__all__ = ["server"]

ROUNDS = 150
KILLS = 8
LONGEST_START_SECONDS = 1.6
PIECES = (
    b"GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /_matrix/client/v3/register HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
    b"PUT /_matrix/client/v3/rooms/!a/send/b/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00%FF/../..//?%FF=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"Content-Length: -1\r\n",
    b"\r\n\r\n",
    b"\x00" * 100,
    b"A" * 70_000,
)


def test_garbage_and_broken_connections_harm_nobody(server: Server) -> None:
    reader = server.register("reader")
    room_id = reader.create_room()
    dice = random.Random(1)
    with _sending(reader, room_id) as sent:
        for _ in range(ROUNDS):
            _throw_garbage(server, dice)
            _hang_up_in_a_long_poll(server, reader)
    events = [event["event_id"] for event in reader.history(room_id) if event["type"] == "m.room.message"]
    assert events == sent
    assert " 500 " not in server.log_text()


def _throw_garbage(server: Server, dice: random.Random) -> None:
    """Write some pieces, and leave: politely, with a reset, or without reading."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as link:
        with suppress(OSError):
            for _ in range(dice.randrange(6)):
                link.sendall(dice.choice(PIECES) if dice.random() < 0.7 else dice.randbytes(dice.randrange(1, 200)))
            if dice.random() < 0.3:
                link.shutdown(socket.SHUT_WR)
                link.recv(1000)
        if dice.random() < 0.5:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _hang_up_in_a_long_poll(server: Server, reader: Client) -> None:
    head = f"GET {V3}/sync?timeout=30000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {reader.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 5) as link:
        link.sendall(head.encode())


@contextmanager
def _sending(client: Client, room_id: str) -> Iterator[list[str]]:
    """Meanwhile, an ordinary client sends; gives the ids of its messages."""
    sent: list[str] = []
    is_done = threading.Event()

    def send() -> None:
        while not is_done.is_set():
            sent.append(client.send(room_id, "hello", f"m{len(sent)}"))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield sent
    assert thread.is_alive()
    is_done.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_it_starts(kind: str, tmp_path: Path) -> None:
    """In the middle of the migrations too: the next start goes on, and what was stored is there."""
    dice = random.Random(2)
    begun = open_server(kind, tmp_path)
    for number in range(KILLS):
        begun.launch()
        time.sleep(LONGEST_START_SECONDS * (number + dice.random()) / KILLS)  # the moment of death
        begun.kill9()
    with watched(begun) as running:
        client = running.register("survivor")
        event_id = client.send(client.create_room(), "hello", "first")
        running.kill9()
        running.launch()
        running.kill9()
        running.start()
        [room_id] = client.call("GET", f"{V3}/joined_rooms")["joined_rooms"]
        assert [event["event_id"] for event in client.messages(room_id, limit=1)["chunk"]] == [event_id]
