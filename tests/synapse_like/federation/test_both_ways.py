"""A whole server and another one: requests out, requests in, keys both ways."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from signedjson.key import decode_verify_key_bytes
from signedjson.sign import verify_signed_json
from unpaddedbase64 import decode_base64

from synapse_like.federation import Federation
from synapse_like.toolkit.http import Auth, Request, bound, endpoint
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.router import Router
from tests.kit.homeserver import TestServer, settings, start
from tests.kit.remote_server import RemoteServer, Seen, listening, trusting

PROFILE = "/_matrix/federation/v1/query/profile"


@pytest.fixture(params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    started = await start(settings(request.param, tmp_path, trusting()))
    yield started
    await started.homeserver.stop()


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[RemoteServer]:
    async with listening(tmp_path) as server:
        yield server


def federation(server: TestServer) -> Federation:
    front: Federation = server.homeserver.front(Federation)
    return front


def verify(seen: Seen, published: dict[str, Any], destination: str) -> None:
    """Check a request with the published keys of its origin, by the library that others use."""
    fields = dict(part.split("=", 1) for part in seen.headers["authorization"].removeprefix("X-Matrix ").split(","))
    values = {name: value.strip('"') for name, value in fields.items()}
    assert values["destination"] == destination
    request: dict[str, Any] = {
        "method": seen.method,
        "uri": seen.target,
        "origin": values["origin"],
        "destination": destination,
        "signatures": {values["origin"]: {values["key"]: values["sig"]}},
    }
    if seen.body:
        request["content"] = seen.json
    key = published["verify_keys"][values["key"]]["key"]
    verify_signed_json(request, values["origin"], decode_verify_key_bytes(values["key"], decode_base64(key)))


async def test_a_request_arrives_signed_and_its_answer_comes_back(server: TestServer, remote: RemoteServer) -> None:
    remote.answers[PROFILE] = lambda seen: {"displayname": "Eve"}
    client = federation(server).client
    assert await client.get(remote.name, PROFILE, {"user_id": f"@eve é:{remote.name}"}) == {"displayname": "Eve"}
    remote.answers["/_matrix/federation/v1/send/"] = lambda seen: {"pdus": {}}
    body = {"pdus": [], "edus": [], "note": "é"}
    assert await client.put(remote.name, "/_matrix/federation/v1/send/1", body) == {"pdus": {}}
    published = await server.ok("GET", "/_matrix/key/v2/server")
    for seen in remote.seen:
        assert seen.headers["host"] == remote.name
        verify(seen, published, remote.name)
    assert remote.seen[1].json == body


class Echo:
    """An endpoint for other servers."""

    @endpoint("PUT", "/_matrix/federation/v1/echo", auth=Auth.FEDERATION, body=dict, resource="federation")
    async def put(self, request: Request) -> dict[str, Any]:
        return {"origin": request.origin, "body": request.body}

    @endpoint("GET", "/_matrix/federation/v1/echo", auth=Auth.FEDERATION, resource="federation")
    async def get(self, request: Request) -> dict[str, Any]:
        return {"origin": request.origin}


async def ask(server: TestServer, method: str, target: str, raw: bytes, *headers: str) -> tuple[int, Any]:
    """The answer of `Echo` to a request with these Authorization headers."""
    app = App(Router(bound(Echo())), server.homeserver.authenticators)
    request: Request = Request(method, target, [("authorization", header) for header in headers], raw)
    reply = await app.answer(request, app.match(method, request.path))
    return reply.status, json.loads(reply.body)


async def test_a_signed_request_is_let_in(server: TestServer, remote: RemoteServer) -> None:
    heard: list[str] = []
    federation(server).callers.on_heard.append(heard.append)
    target, body = "/_matrix/federation/v1/echo?a=b%2Fc&d", {"b": ["ü", 1], "a": None}
    header = remote.authorization("PUT", target, body, "test")
    for raw in (json.dumps(body).encode(), json.dumps(body, separators=(",", ":"), sort_keys=True).encode()):
        assert await ask(server, "PUT", target, raw, header) == (200, {"origin": remote.name, "body": body})
    without = remote.authorization("GET", target, None, "test")
    assert await ask(server, "GET", target, b"", without) == (200, {"origin": remote.name})
    assert len(remote.requests_to("/_matrix/key/v2/server")) == 1
    assert heard == [remote.name] * 3
