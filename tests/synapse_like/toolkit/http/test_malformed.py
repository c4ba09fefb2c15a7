"""What is no HTTP request, or too much of one, is refused in JSON with CORS, and the connection is closed."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_like.toolkit.http.limits import Limits
from tests.synapse_like.toolkit.http.wire_kit import get, put, serving

HOST = b"Host: test\r\n"
POST = b"POST /upload HTTP/1.1\r\n" + HOST

MALFORMED = {
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "http 0.9": b"GET /hello/x\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "unknown version": b"GET /hello/x HTTP/3.7\r\n\r\n",
    "unknown method": b"FROB /hello/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "small letters": b"get /hello/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /hello/x HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /hello/x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "space before the colon": b"GET /hello/x HTTP/1.1\r\nHost : test\r\n\r\n",
    "no colon": b"GET /hello/x HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "folded header": b"GET /hello/x HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "bare line feeds": b"GET /hello/x HTTP/1.1\nHost: test\n\n",
    "NUL in a header": b"GET /hello/x HTTP/1.1\r\nHost: te\x00st\r\n\r\n",
    "bytes in the address": b"GET /hello/\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in the address": b"GET /hello/a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "length and encoding": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "encoding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "empty length": POST + b"Content-Length: \r\n\r\nabc",
    "length without end": POST + b"Content-Length: 99999999999999999999999999\r\n\r\nabc",
    "unknown encoding": POST + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "encoding in front of chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "encoding like chunks": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two encodings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"POST /upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk without size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "chunk without end": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "chunk with line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_requests(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Limits(linger_seconds=0.2)) as house:
        client = await house.client()
        client.send(get("/hello/x") + sent + get("/hello/smuggled"))
        assert (await client.read()).status == 200
        answer = await client.read()
        assert (answer.status, answer.json["errcode"]) == (400, "M_UNKNOWN")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["connection"] == "close"
        assert await client.closed() == b""
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


PIECES = [
    b"GET ", b"POST ", b"/hello/x", b"/upload", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: x", b"Content-Length: 5",
    b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"\x00", b"\xff", b":",
    b" ", b"Connection: close", b"Upgrade: h2c\r\nConnection: upgrade",
]  # fmt: skip
LIMITS = Limits(request_line_bytes=500, header_bytes=2000, header_count=20, linger_seconds=0.2)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (get("/hello/" + "x" * 480), 200),
        (get("/hello/" + "x" * 500), 414),
        (b"GET /" + b"x" * 100_000, 414),
        (get("/hello/x", *(f"X-{n}: 1" for n in range(19))), 200),
        (get("/hello/x", *(f"X-{n}: 1" for n in range(20))), 431),
        (get("/hello/x", "X: " + "1" * 1900), 200),
        (get("/hello/x", "X: " + "1" * 2000), 431),
        (b"GET /hello/x HTTP/1.1\r\nX: " + b"1" * 200_000, 431),
        (b"GET /hello/x HTTP/1.1\r\n" + b"x" * 200_000, 431),
        (get("/upload", "Transfer-Encoding: chunked", method="POST") + b"0\r\n" + b"X: 1\r\n" * 2000, 431),
        (put("/upload", b"x" * 1024 * 1024, method="POST"), 200),
        (put("/upload", b"x" * (1024 * 1024 + 1), method="POST"), 413),
        (get("/upload", "Content-Length: 999999999", method="POST"), 413),
        (get("/upload", "Transfer-Encoding: chunked", method="POST") + b"100001\r\n" + b"x" * 0x100001, 413),
        (get("/upload", "Transfer-Encoding: chunked", method="POST") + b"f0000\r\n%b\r\n" % (b"x" * 0xF0000) * 2, 413),
        (put("/nothing", b"x" * 60_000), 404),
        (put("/nothing", b"x" * 70_000), 404),
        (get("/nothing", "Transfer-Encoding: chunked", method="PUT") + b"20000\r\n" + b"x" * 0x20000, 413),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else value[:20].decode("latin-1"),
)
async def test_limits(sent: bytes, status: int) -> None:
    async with serving(LIMITS) as house:
        answer = await house.ask(sent)
        assert answer.status == status
        assert status == 200 or answer.json["errcode"].startswith("M_")
        assert (answer.json.get("errcode") == "M_TOO_LARGE") == (status == 413)
        assert answer.headers["access-control-allow-origin"] == "*"
        if answer.headers.get("connection") == "close":
            await house.clients[0].closed()


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=25))
@settings(max_examples=150, deadline=None)
async def test_any_bytes_get_replies_without_a_fault_of_ours(parts: list[bytes]) -> None:
    async with serving(Limits(header_seconds=5, linger_seconds=0.05)) as house:
        client = await house.client()
        client.send(b"".join(parts) + b"\r\n\r\n" + b"x" * 10 + b"\r\n\r\n" + get("/hello/x", "Connection: close"))
        client.socket.loseWriteConnection()
        left = await client.closed()
    assert b"HTTP/1.1 5" not in left
    assert left == b"" or left.startswith(b"HTTP/1.1 ")
