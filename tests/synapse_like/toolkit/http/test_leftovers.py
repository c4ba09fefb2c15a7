"""What stays in memory of requests that were answered and of connections that are gone: nothing."""

import gc
import sys

import pytest
from twisted.internet import reactor

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.connection import Connection
from synapse_like.toolkit.http.limits import Limits
from synapse_like.toolkit.http.reader import Head, RequestReader
from tests.synapse_like.toolkit.http.wire_kit import get, put, serving

MOST_TURNS = 200


class Collecting:
    """Takes every request."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def head_received(self, head: Head) -> int:
        return 1000

    def request_received(self, head: Head, body: bytes) -> None:
        self.bodies.append(body)


def test_an_idle_reader_does_not_keep_the_last_body() -> None:
    receiver = Collecting()
    reader = RequestReader(receiver, Limits())
    reader.feed(put("/upload", b"x" * 500))
    body = receiver.bodies.pop()
    assert sys.getrefcount(body) == 2  # the name and the argument


@pytest.mark.parametrize(
    "sent", [get("/hello/x"), put("/upload", b"abc", method="POST"), b"GET /hel", b"nonsense\r\n\r\n"]
)
async def test_a_lost_connection_does_not_wait_for_the_collector(sent: bytes) -> None:
    clock = Clock(reactor)
    async with serving() as house:
        gc.collect()
        gc.disable()
        try:
            client = await house.client()
            client.send(sent)
            while not _connections():
                await clock.sleep(0)
            for _ in range(10):
                await clock.sleep(0)
            client.drop()
            for _ in range(MOST_TURNS):
                await clock.sleep(0)
                if not _connections():
                    return
            pytest.fail(f"still there: {_connections()}")
        finally:
            gc.enable()


def _connections() -> list[Connection]:
    return [each for each in gc.get_objects() if isinstance(each, Connection)]
