"""Connections: keep-alive, pipelining, split input, chunks, disconnecting, stopping."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.limits import Limits
from tests.synapse_like.toolkit.http.wire_kit import get, put, serving

CHUNKED = (
    get("/upload", "Transfer-Encoding: chunked", method="POST")
    + b"3\r\nabc\r\n1;ext=1\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")

CONVERSATION = [
    (get("/hello/one"), 200, b'"one"'),
    (put("/echo/two", b'{"a": [1]}'), 200, b'{"a":[1]}'),
    (get("/nothing"), 404, b"M_UNRECOGNIZED"),
    (CHUNKED, 200, b'{"size":4,'),
    (b"\r\n" + get("/hello/three"), 200, b'"three"'),
    (put("/upload", b"\0\r\n\r\nGET / HTTP/1.1\r\n\r\n", method="POST"), 200, b'{"size":23,'),
    (put("/echo/x", b"nonsense"), 400, b"M_NOT_JSON"),
    (put("/nothing", b"nonsense"), 404, b"M_UNRECOGNIZED"),
    (get("/hello/four", *UPGRADE), 200, b'"four"'),
    (put("/echo/five", b'{"b": 2}', *UPGRADE), 200, b'{"b":2}'),
    (get("/download/200000"), 200, b"xxx"),
    (get("/hello/six"), 200, b'"six"'),
]


@given(st.lists(st.integers(0, sum(len(part) for part, _, _ in CONVERSATION)), max_size=12).map(sorted))
@settings(max_examples=60, deadline=None)
async def test_input_may_be_split_anywhere(cuts: list[int]) -> None:
    whole = b"".join(part for part, _, _ in CONVERSATION)
    clock = Clock(reactor)
    async with serving() as house:
        client = await house.client()
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            client.send(whole[start:end])
            await clock.sleep(0)
        for _, status, body in CONVERSATION:
            answer = await client.read()
            assert (answer.status, body in answer.body) == (status, True), answer
        assert client.buffer == b""


async def test_one_byte_at_a_time() -> None:
    async with serving() as house:
        client = await house.client()
        for byte in put("/echo/x", b'{"a":1}') + get("/hello/y"):
            client.send(bytes([byte]))
            await Clock(reactor).sleep(0)
        assert (await client.read()).json["body"] == {"a": 1}
        assert (await client.read()).json["hello"] == "y"


@pytest.mark.parametrize(
    ("request_bytes", "closes"),
    [
        (get("/hello/x"), False),
        (get("/hello/x", "Connection: close"), True),
        (b"GET /hello/x HTTP/1.0\r\n\r\n", True),
        (b"GET /hello/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
async def test_keep_alive(request_bytes: bytes, closes: bool) -> None:
    async with serving() as house:
        client = await house.client()
        client.send(request_bytes)
        answer = await client.read()
        assert answer.status == 200
        assert (answer.headers.get("connection") == "close") == closes
        if closes:
            assert await client.closed() == b""
        else:
            client.send(get("/hello/y"))
            assert (await client.read()).status == 200


async def test_replies_keep_the_order_of_requests() -> None:
    async with serving() as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get("/wait") + b"".join(get(f"/hello/{n}") for n in range(100)))
        await arrival
        assert client.buffer == b""
        house.api.waiting[0][1].callback("done")
        assert (await client.read()).json == {"outcome": "done"}
        assert [(await client.read()).json["hello"] for _ in range(100)] == [str(n) for n in range(100)]


async def test_reading_pauses_while_much_waits() -> None:
    upload = put("/upload", b"x" * 600_000, method="POST")
    async with serving() as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get("/wait") + 6 * upload + get("/hello/end"))
        await arrival
        house.api.waiting[0][1].callback("done")
        answers = [await client.read() for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 8
    assert [answer.json.get("size") for answer in answers[1:7]] == [600_000] * 6


async def test_continue_is_said_when_the_body_is_welcome() -> None:
    head, body = put("/echo/x", b'{"a":1}', "Expect: 100-continue").split(b"\r\n\r\n", 1)
    async with serving() as house:
        client = await house.client()
        client.send(head + b"\r\n\r\n")
        answer = await client.read()
        assert (answer.status, answer.headers) == (100, {})
        client.send(body)
        assert (await client.read()).json["body"] == {"a": 1}

        refused = await house.client()
        refused.send(get("/upload", "Expect: 100-continue", "Content-Length: 9999999", method="POST"))
        assert (await refused.read()).status == 413


async def test_continue_waits_for_the_replies_before_it() -> None:
    head, body = put("/echo/x", b'{"a":1}', "Expect: 100-continue").split(b"\r\n\r\n", 1)
    async with serving() as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get("/wait") + head + b"\r\n\r\n")
        await arrival
        house.api.waiting[0][1].callback("done")
        assert [(await client.read()).status, (await client.read()).status] == [200, 100]
        client.send(body)
        assert (await client.read()).status == 200


@pytest.mark.parametrize(("path", "outcome"), [("/wait", "gone"), ("/wait_deaf", "cancelled")])
async def test_a_handler_learns_that_its_client_has_gone(path: str, outcome: str) -> None:
    async with serving() as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get(path))
        await arrival
        client.drop()
        request, _ = house.api.waiting[0]
        gone: Deferred[None] = Deferred()
        request.on_disconnect(lambda: gone.callback(None))
        await gone
        await Clock(reactor).sleep(0)
        assert (request.is_disconnected, house.api.outcomes) == (True, [outcome])


async def test_stopping_finishes_what_has_begun() -> None:
    async with serving() as house:
        idle, waiting, sending = [await house.client() for _ in range(3)]
        arrival = house.api.arrival()
        waiting.send(get("/wait"))
        sending.send(put("/echo/x", b'{"a":1}')[:-3])
        idle.send(get("/hello/x"))
        await arrival
        await idle.read()
        stopped = Deferred.fromCoroutine(house.listeners.stop(10))
        assert await idle.closed() == b""
        answer = await waiting.read()
        assert (answer.json, answer.headers["connection"]) == ({"outcome": "stopping"}, "close")
        sending.send(b":1}")
        assert (await sending.read()).json["body"] == {"a": 1}
        await stopped
        assert house.listeners.addresses == []


async def test_stopping_ends_even_if_a_handler_does_not() -> None:
    async with serving() as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get("/wait_deaf"))
        await arrival
        await house.listeners.stop(0.05)
        assert house.api.outcomes == ["cancelled"]
        await client.closed()


async def test_more_connections_than_allowed_are_closed() -> None:
    async with serving(Limits(connections=2)) as house:
        first, second = await house.client(), await house.client()
        first.send(get("/hello/x"))
        second.send(get("/hello/x"))
        assert [(await first.read()).status, (await second.read()).status] == [200, 200]
        third = await house.client()
        assert await third.closed() == b""
        first.drop()
        await first.closed()
        second.send(get("/hello/x"))
        assert (await second.read()).status == 200
        fourth = await house.client()
        fourth.send(get("/hello/x"))
        assert (await fourth.read()).status == 200


async def test_a_client_that_does_not_read_is_dropped() -> None:
    async with serving(Limits(write_seconds=0.2, linger_seconds=0.1)) as house:
        client = await house.client()
        client.socket.pauseProducing()
        client.send(get("/download/30000000"))
        for wanted in (1, 0):
            while house.listeners.connection_count != wanted:
                await Clock(reactor).sleep(0.01)
        client.socket.resumeProducing()
        assert len(await client.closed()) < 30_000_000


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", None), (b"GET /hello", 408), (put("/echo/x", b"{}")[:-1], 408), (get("/hello/x"), 200)],
)
async def test_silence_is_ended(sent: bytes, status: int | None) -> None:
    limits = Limits(header_seconds=0.1, body_idle_seconds=0.1, keep_alive_seconds=0.1, linger_seconds=0.1)
    async with serving(limits) as house:
        client = await house.client()
        client.send(sent) if sent else None
        if status is not None:
            assert (await client.read()).status == status
        assert await client.closed() == b""


async def test_a_head_that_comes_slowly_is_ended() -> None:
    async with serving(Limits(header_seconds=0.15, linger_seconds=0.1)) as house:
        client = await house.client()
        client.send(b"GET /hello/x HTTP/1.1\r\n")
        for number in range(200):
            if client.is_closed or client.buffer:
                break
            client.send(f"X-{number}: 1\r\n".encode())
            await Clock(reactor).sleep(0.02)
        assert (await client.read()).status == 408


async def test_long_polls_are_not_ended() -> None:
    limits = Limits(header_seconds=0.05, body_idle_seconds=0.05, keep_alive_seconds=0.05, linger_seconds=0.05)
    async with serving(limits) as house:
        client = await house.client()
        arrival = house.api.arrival()
        client.send(get("/wait"))
        await arrival
        for _ in range(2):
            await (await house.client()).closed()  # an idle connection is ended meanwhile
        house.api.waiting[0][1].callback("done")
        assert (await client.read()).json == {"outcome": "done"}
