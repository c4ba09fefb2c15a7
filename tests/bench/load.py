"""A light HTTP client for load: keep-alive connections on asyncio, many at once, bodies unparsed unless asked for."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote

_HEAD_END = b"\r\n\r\n"


class Connection:
    """One keep-alive connection of one user."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self.token = token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of one request."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**26)
        raw = b"" if body is None else json.dumps(body).encode()
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Length: {len(raw)}\r\n\r\n"
        self._writer.write(head.encode() + raw)
        reply = await self._reader.readuntil(_HEAD_END)
        status = int(reply[9:12])
        lowered = reply.lower()
        if (at := lowered.find(b"content-length:")) < 0:
            return status, await _chunks(self._reader)
        length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
        return status, await self._reader.readexactly(length)

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded body of a request that must succeed."""
        status, raw = await self.request(method, path, body)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {raw[:300]!r}")
        return json.loads(raw)

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks."""
    body = b""
    while length := int((await reader.readline()).partition(b";")[0], 16):
        body += (await reader.readexactly(length + 2))[:-2]
    await reader.readline()
    return body


V3 = "/_matrix/client/v3"


async def register(port: int, name: str) -> Connection:
    """A new user's connection."""
    body = {"username": name, "password": "a long enough password", "auth": {"type": "m.login.dummy"}}
    visitor = Connection(port)
    reply = await visitor.json("POST", f"{V3}/register", body)
    visitor.close()
    return Connection(port, reply["access_token"])


async def registered(port: int, prefix: str, count: int) -> list[Connection]:
    """Several new users."""
    return await at_once([lambda i=i: register(port, f"{prefix}{i}") for i in range(count)], 16)  # type: ignore[misc]


async def at_once(calls: Iterable[Callable[[], Awaitable[Any]]], width: int) -> list[Any]:
    """Run calls, so many at a time; their results in order."""
    turn = asyncio.Semaphore(width)

    async def run(call: Callable[[], Awaitable[Any]]) -> Any:
        async with turn:
            return await call()

    return list(await asyncio.gather(*(run(call) for call in calls)))


async def create_room(user: Connection, **options: Any) -> str:
    """A new room's id."""
    return str((await user.json("POST", f"{V3}/createRoom", options))["room_id"])


async def join(user: Connection, room_id: str) -> None:
    """Join a room."""
    await user.json("POST", f"{V3}/join/{quote(room_id)}", {})


async def send(user: Connection, room_id: str, transaction_id: str) -> None:
    """Send a short message."""
    path = f"{V3}/rooms/{quote(room_id)}/send/m.room.message/{transaction_id}"
    await user.json("PUT", path, {"msgtype": "m.text", "body": "a message of ordinary length, as people write them"})


async def sync(user: Connection, since: str | None = None, timeout_ms: int = 0) -> Any:
    """One sync."""
    tail = f"&since={since}" if since else ""
    return await user.json("GET", f"{V3}/sync?timeout={timeout_ms}{tail}")
