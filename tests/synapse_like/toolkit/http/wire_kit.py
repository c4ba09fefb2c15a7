"""A server with a few endpoints on a loopback port, and a client that speaks raw bytes to it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone

from synapse_like.matrix.errors import Forbidden, LimitExceeded, UnknownToken
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import DatabaseUnavailable
from synapse_like.toolkit.http import Auth, Reply, Request, Requester, bound, endpoint, html
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.limits import Limits
from synapse_like.toolkit.http.listeners import Listeners, ListenerSettings, Surroundings

MIB = 1024 * 1024


class Message(msgspec.Struct):
    """A body with a shape."""

    msgtype: str
    count: int = 0
    tags: list[str] = []


class Api:
    """Endpoints that do one thing each."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Request, Deferred[str]]] = []
        self.arrived: list[Deferred[None]] = []
        self.outcomes: list[str] = []

    @endpoint("GET", "/hello/{name}", auth=Auth.NONE)
    async def hello(self, request: Request) -> dict[str, Any]:
        return {"hello": request.params["name"], "ip": request.client_ip, "id": request.request_id}

    @endpoint("GET", "/whoami")
    async def whoami(self, request: Request) -> Reply:
        return Reply(200, {"user_id": request.requester.user_id})

    @endpoint("PUT", "/echo/{name}", "/old/echo/{name}", auth=Auth.NONE, body=dict)
    async def echo(self, request: Request) -> dict[str, Any]:
        return {"name": request.params["name"], "body": request.body}

    @endpoint("POST", "/message", auth=Auth.NONE, body=Message, allows_empty_body=False)
    async def message(self, request: Request[Message]) -> Message:
        return request.body

    @endpoint("POST", "/upload", auth=Auth.NONE, limit_bytes=MIB)
    async def upload(self, request: Request) -> dict[str, Any]:
        return {"size": len(request.raw_body), "sum": sum(request.raw_body)}

    @endpoint("GET", "/download/{size}", auth=Auth.NONE)
    async def download(self, request: Request) -> Reply:
        return Reply(200, {"padding": "x" * int(request.params["size"])})

    @endpoint("GET", "/page", auth=Auth.NONE, resource="static")
    async def page(self, request: Request) -> Reply:
        return html("<p>works</p>")

    @endpoint("GET", "/health", auth=Auth.NONE, resource="health")
    async def health(self, request: Request) -> Reply:
        return Reply(200, b"OK", content_type="text/plain")

    @endpoint("GET", "/fail", auth=Auth.NONE)
    async def fail(self, request: Request) -> Reply:
        raise RuntimeError("the secret of the house")

    @endpoint("GET", "/outage", auth=Auth.NONE)
    async def lack_the_database(self, request: Request) -> Reply:
        raise DatabaseUnavailable("the address of the database")

    @endpoint("GET", "/unprintable", auth=Auth.NONE)
    async def unprintable(self, request: Request) -> dict[str, Any]:
        return {"what": object()}

    @endpoint("GET", "/forbidden", auth=Auth.NONE)
    async def forbidden(self, request: Request) -> Reply:
        raise Forbidden("Not today")

    @endpoint("GET", "/limited", auth=Auth.NONE)
    async def limited(self, request: Request) -> Reply:
        raise LimitExceeded(retry_after_ms=1200)

    @endpoint("GET", "/wait", auth=Auth.NONE)
    async def wait(self, request: Request) -> dict[str, Any]:
        return await self._wait(request, listens=True)

    @endpoint("GET", "/wait_deaf", auth=Auth.NONE, is_cancellable=True)
    async def wait_deaf(self, request: Request) -> dict[str, Any]:
        return await self._wait(request, listens=False)

    async def _wait(self, request: Request, *, listens: bool) -> dict[str, Any]:
        answer: Deferred[str] = Deferred()
        self.waiting.append((request, answer))
        if listens:
            request.on_disconnect(lambda: answer.callback("gone" if request.is_disconnected else "stopping"))
        for arrived in self.arrived:
            arrived.callback(None)
        self.arrived.clear()
        try:
            outcome = await answer
        except CancelledError:
            self.outcomes.append("cancelled")
            raise
        self.outcomes.append(outcome)
        return {"outcome": outcome}

    async def arrival(self) -> None:
        """Return when one more request waits."""
        arrived: Deferred[None] = Deferred()
        self.arrived.append(arrived)
        await arrived


class Tokens:
    """Knows three tokens."""

    async def authenticate(self, token: str, request: Request[Any]) -> Requester:
        users = {
            "alice": Requester("@alice:test"),
            "guest": Requester("@guest:test", is_guest=True),
            "locked": Requester("@locked:test", is_locked=True),
            "admin": Requester("@admin:test", is_admin=True),
        }
        if token not in users:
            raise UnknownToken()
        return users[token]


@dataclass
class Answer:
    """One parsed reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient(Protocol):
    """Sends bytes and reads replies."""

    def __init__(self) -> None:
        self.buffer = b""
        self.is_closed = False
        self._wakes: list[Deferred[None]] = []

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.buffer += data
        self._wake()

    def connectionLost(self, reason: Any = connectionDone) -> None:  # noqa: N802
        self.is_closed = True
        self._wake()

    @property
    def socket(self) -> Any:
        return self.transport

    def send(self, data: bytes) -> None:
        self.socket.write(data)

    def drop(self) -> None:
        self.socket.abortConnection()

    async def until(self, found: Any) -> None:
        """Return when the function says yes."""
        while not found():
            wake: Deferred[None] = Deferred()
            self._wakes.append(wake)
            await wake

    async def read(self, method: str = "GET") -> Answer:
        """Return the next reply; AssertionError if the connection ends before it is whole."""
        await self.until(lambda: self.is_closed or b"\r\n\r\n" in self.buffer)
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        assert found, f"closed after {self.buffer!r}"
        status_line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        has_body = method != "HEAD" and "content-length" in headers
        size = int(headers["content-length"]) if has_body else 0
        self.buffer = rest
        await self.until(lambda: self.is_closed or len(self.buffer) >= size)
        assert len(self.buffer) >= size
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Answer(int(status_line.split(" ")[1]), headers, body)

    async def closed(self) -> bytes:
        """Return what is left when the server has closed."""
        await self.until(lambda: self.is_closed)
        return self.buffer

    def _wake(self) -> None:
        wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake.callback(None)


@dataclass
class House:
    """A running server and who talks to it."""

    api: Api
    listeners: Listeners
    clients: list[RawClient] = field(default_factory=list)

    async def client(self, at: int = 0) -> RawClient:
        host, port = self.listeners.addresses[at]
        target = HostnameEndpoint(reactor, host, port) if port else UNIXClientEndpoint(reactor, host)
        client = await connectProtocol(target, RawClient())
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> Answer:
        """Return the first reply to some bytes on a connection of their own."""
        client = await self.client()
        client.send(data)
        return await client.read(data.partition(b" ")[0].decode("latin-1"))


@asynccontextmanager
async def serving(limits: Limits | None = None, metrics: Any = None, **settings: Any) -> AsyncIterator[House]:
    """Serve the api on a free port while the block runs."""
    api = Api()
    surroundings = Surroundings(
        reactor, Clock(reactor), Authenticators(Tokens()), metrics=metrics, limits=limits or Limits()
    )
    house = House(api, Listeners(surroundings, bound(api)))
    house.listeners.start(ListenerSettings(**({"port": 0} | settings)))
    try:
        yield house
    finally:
        for client in house.clients:
            if not client.is_closed:
                client.drop()
        await house.listeners.stop(0.2)


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]).encode()


def put(path: str, body: bytes, *headers: str, method: str = "PUT") -> bytes:
    """Return a request with a body."""
    return get(path, f"Content-Length: {len(body)}", *headers, method=method) + body
