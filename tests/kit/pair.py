"""Several of our servers in one process that speak with each other without sockets, and a server of the tests' own.

Requests go from the one's federation client straight into the other's endpoints; signatures of events are checked with
the keys that everybody here knows. A server can be cut off.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import msgspec
import pytest
from twisted.internet import reactor

from synapse_like.federation import Federation
from synapse_like.federation.errors import BadReply, RemoteError
from synapse_like.federation.inbound import Staging
from synapse_like.federation.keys import Failure, Flaw
from synapse_like.federation.outbound import Sender
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import ConnectionFailed, Unauthorized
from synapse_like.matrix.events import Event
from synapse_like.matrix.hashes import has_valid_content_hash
from synapse_like.matrix.signatures import servers_that_must_sign, verify_event_signature
from synapse_like.matrix.signing_keys import SigningKey, write_signing_keys
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Router
from tests.kit.homeserver import TestServer, settings
from workers.build import Homeserver, build_kit

Answering = Callable[[str, str, Any], Any]
"""Answers (method, target, body) of a request to a server of the tests' own, or raises RemoteError."""


class Net:
    """Who can be reached, and whose keys are known."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.keys: dict[str, SigningKey] = {}
        self.own: dict[str, Answering] = {}
        self.cut: set[str] = set()
        self.breaks: dict[str, int] = {}
        """After how many bytes of a large answer the connection with a server breaks."""
        self.tamper: Callable[[str, str, int, bytes], tuple[int, bytes]] = _as_it_is
        """What becomes of the answer (status and body) to a request (origin and target) on its way."""
        self.bounds: dict[str, tuple[float, int]] = {}
        """How long, in seconds, and how large the answer to a request may be that is not streamed."""
        self.requests: list[tuple[str, str, str, str]] = []
        """(origin, destination, method, target) of every request."""

    def key_of(self, name: str) -> SigningKey:
        """The key that a server signs with."""
        return self.keys.setdefault(name, SigningKey.from_seed("k", name.encode().ljust(32, b"-")[:32]))

    async def request(self, origin: str, destination: str, method: str, target: str, body: Any) -> tuple[int, bytes]:
        """Carry a request over; status and body of the answer."""
        self.requests.append((origin, destination, method, target))
        if {origin, destination} & self.cut or destination not in {**self.apps, **self.own}:
            raise ConnectionFailed(f"{destination} is not there")
        if destination in self.own:
            try:
                answer = self.own[destination](method, unquote(target), body)
                return 200, answer if isinstance(answer, bytes) else canonical_json(answer)
            except RemoteError as error:
                return error.remote_status, canonical_json(error.remote_body)
        raw = b"" if body is None else body if isinstance(body, bytes) else canonical_json(body)
        app = self.apps[destination]
        request: Request[Any] = Request(method, target, [("x-origin", origin)], raw, client_ip="10.0.0.2")
        reply = await app.answer(request, app.match(method, request.path))
        return self.tamper(origin, target, reply.status, reply.body)

    def connect(self, server: TestServer) -> None:
        """Let a server of ours take part."""
        name = server.homeserver.kit.server_name
        federation: Federation = server.homeserver.front(Federation)
        self.key_of(name)

        async def ask(method: str, destination: str, target: str, body: Any, *bounds: Any) -> Any:
            self.bounds[target] = bounds[0], bounds[1]
            status, answer = await self.request(name, destination, method, target, body)
            if status != 200:
                raise RemoteError(destination, status, _decoded(answer))
            if (told := _decoded(answer)) is _NO_JSON:
                raise BadReply(f"{destination} answered with something that is not JSON")
            return told

        async def stream(
            destination: str, path: str, write: Any, body: Any = None, query: Any = None, **_: Any
        ) -> None:
            target = f"{path}?{urlencode(query, doseq=True)}" if query else path
            status, answer = await self.request(name, destination, "GET" if body is None else "PUT", target, body)
            if status != 200:
                raise RemoteError(destination, status, _decoded(answer))
            for start in range(0, min(len(answer), self.breaks.get(destination, len(answer))), 1000):
                write(answer[start : start + 1000])
            if destination in self.breaks:
                raise ConnectionFailed(f"The connection with {destination} broke")

        client: Any = federation.client
        keys: Any = federation.keys
        client._json, client.stream, keys.verify_events, keys.find_keys = ask, stream, self._verify, _no_keys
        users = server.homeserver.authenticators.users
        self.apps[name] = App(Router(server.homeserver.answers), Authenticators(users, _ByHeader()))

    async def _verify(self, events: Sequence[Event], *, with_hashes: bool = False, keys: Any = None) -> list[Failure]:
        failures = []
        for event in events:
            bad = [server for server in servers_that_must_sign(event) if not self._is_signed(event, server)]
            if bad:
                failures.append(Failure(event, Flaw.WRONG_SIGNATURE, f"not signed by {bad[0]}"))
            elif with_hashes and not has_valid_content_hash(event.pdu):
                failures.append(Failure(event, Flaw.WRONG_HASH, "wrong hash"))
        return failures

    def _is_signed(self, event: Event, server: str) -> bool:
        key = self.keys.get(server)
        return key is not None and verify_event_signature(event.pdu, event.room_version, server, key.verify_key)


_NO_JSON = object()


def _decoded(answer: bytes) -> Any:
    try:
        return msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_JSON


def _as_it_is(origin: str, target: str, status: int, body: bytes) -> tuple[int, bytes]:
    return status, body


async def _no_keys(*_: Any) -> dict[Any, Any]:
    """Nobody asks for keys: `Net` knows them."""
    return {}


class _ByHeader:
    """Believes the header that `Net` sets."""

    async def authenticate_server(self, request: Request[Any]) -> str:
        origin = request.headers.get("x-origin")
        if origin is None:
            raise Unauthorized("Nobody signed this")
        return origin


class Pair:
    """Servers by name, on one net."""

    def __init__(self, net: Net, folder: Path, kind: str) -> None:
        self.net = net
        self._folder = folder
        self._kind = kind
        self.servers: dict[str, TestServer] = {}
        self._configs: dict[str, Any] = {}

    async def start(self, name: str, **extra: Any) -> TestServer:
        """Start one more server."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        (folder / "signing.key").write_text(write_signing_keys([self.net.key_of(name)]))
        self._configs[name] = settings(self._kind, folder, {"server_name": name, **extra})
        return await self.start_again(name)

    async def start_again(self, name: str) -> TestServer:
        """Start a server that was stopped, on the same database."""
        homeserver = Homeserver(build_kit(self._configs[name], reactor))
        await homeserver.start()
        server = TestServer(homeserver)
        self.net.connect(server)
        self.servers[name] = server
        return server

    async def settled(self) -> None:
        """Wait until every server has told the others all that it has to, and they have taken it in."""
        for _ in range(3):
            for server in self.servers.values():
                await server.caught_up()
                while not server.homeserver.front(Sender).is_quiet:
                    await server.homeserver.kit.clock.sleep(0.005)
                await server.homeserver.front(Staging).idle()

    async def stop(self) -> None:
        """Stop all."""
        for server in self.servers.values():
            await server.homeserver.stop()

    async def ask(self, origin: str, destination: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request of a server to another; status and decoded body."""
        status, raw = await self.net.request(origin, destination, method, path, body)
        return status, json.loads(raw) if raw else None


@pytest.fixture(params=["sqlite", "postgresql"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Servers `one` and `two`, on each database."""
    pair = Pair(Net(), tmp_path, request.param)
    await pair.start("one")
    await pair.start("two")
    yield pair
    await pair.stop()
