"""A whole server and another one: requests out, requests in, keys both ways."""

import json
from typing import Any

import pytest
from signedjson.key import decode_verify_key_bytes, get_verify_key
from signedjson.sign import verify_signed_json
from twisted.internet.defer import Deferred, DeferredList
from twisted.web.server import NOT_DONE_YET
from unpaddedbase64 import decode_base64

from synapse_like.federation import Federation
from synapse_like.federation.errors import BackingOff, BadReply, RemoteError, ReplyTooLarge, ServerDenied
from synapse_like.federation.slots import AT_ONCE
from synapse_like.matrix.errors import ConnectionFailed, ConnectionTimeout, Forbidden, MatrixError
from synapse_like.toolkit.http import Auth, Request, bound, endpoint
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.outgoing.errors import AddressDenied
from synapse_like.toolkit.http.router import Router
from tests.kit.homeserver import TestServer
from tests.kit.remote_server import Answering, RemoteServer, Seen

PROFILE = "/_matrix/federation/v1/query/profile"


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


ECHO = "/_matrix/federation/v1/echo"


def put_header(remote: RemoteServer, **changes: str) -> str:
    """A good header for PUT ECHO with body {}, with parts of it replaced."""
    header = remote.authorization("PUT", ECHO, {}, changes.pop("meant_for", "test"))
    fields = dict(part.split("=", 1) for part in header.removeprefix("X-Matrix ").split(","))
    fields |= {name: f'"{value}"' for name, value in changes.items()}
    return "X-Matrix " + ",".join(f"{name}={value}" for name, value in fields.items() if value != '""')


async def test_requests_that_are_not_signed_as_they_must_be(server: TestServer, remote: RemoteServer) -> None:
    remote_2 = RemoteServer("other.example")
    good = put_header(remote)
    bad: list[tuple[int, str, list[str]]] = [
        (401, "M_UNAUTHORIZED", []),
        (401, "M_UNAUTHORIZED", ["Bearer syt_abc"]),
        (401, "M_UNAUTHORIZED", ["X-Matrix origin=a"]),
        (401, "M_UNAUTHORIZED", [put_header(remote, sig="AAAA")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, sig="&&&")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, key="ed25519:else")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, key="rsa:r1")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, key="ed25519:\x00")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, origin="a b")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, origin="x" * 300)]),
        (401, "M_UNAUTHORIZED", [put_header(remote, destination="other.example")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, meant_for="other.example")]),
        (401, "M_UNAUTHORIZED", [put_header(remote, meant_for="other.example", destination="")]),
        (401, "M_UNAUTHORIZED", [good, put_header(remote_2)]),
        (401, "M_UNAUTHORIZED", [good, "Bearer x"]),
        (403, "M_FORBIDDEN", [put_header(remote, origin="test")]),
    ]
    for status, errcode, headers in bad:
        answered, body = await ask(server, "PUT", ECHO, b"{}", *headers)
        assert (answered, body["errcode"]) == (status, errcode), headers
    assert (await ask(server, "PUT", ECHO, b"{}", good))[0] == 200
    assert (await ask(server, "PUT", ECHO, b"{}", put_header(remote, destination="")))[0] == 200


async def test_a_signature_is_for_one_request_only(server: TestServer, remote: RemoteServer) -> None:
    good = put_header(remote)
    assert (await ask(server, "PUT", ECHO, b'{ "a": 1}', good))[0] == 401
    assert (await ask(server, "PUT", ECHO + "?x", b"{}", good))[0] == 401
    assert (await ask(server, "GET", ECHO, b"{}", good))[0] == 401
    assert (await ask(server, "PUT", ECHO, b"", good))[0] == 401
    assert (await ask(server, "PUT", ECHO, b"{", good))[1]["errcode"] == "M_NOT_JSON"
    assert (await ask(server, "PUT", ECHO, b"[" * 100_000, good))[0] in (400, 401)
    assert (await ask(server, "PUT", ECHO, b'{"a": 1e999}', good))[0] in (400, 401)


async def test_one_of_several_keys_is_enough(server: TestServer, remote: RemoteServer) -> None:
    unknown = put_header(remote, key="ed25519:next")
    assert (await ask(server, "PUT", ECHO, b"{}", unknown, put_header(remote)))[0] == 200


async def test_odd_numbers_in_a_body_are_verified_as_they_are(server: TestServer, remote: RemoteServer) -> None:
    """Events of old rooms hold floats and integers of any size."""
    body = {"a": 1.5, "b": 10**25, "c": -0.0}
    header = remote.authorization("PUT", ECHO, body, "test")
    assert (await ask(server, "PUT", ECHO, json.dumps(body).encode(), header))[0] == 200


async def test_a_server_whose_keys_cannot_be_fetched(server: TestServer) -> None:
    for name in ("127.0.0.1:1", "no-such.invalid:1", "10.1.2.3:8448"):
        gone = RemoteServer(name)
        status, body = await ask(server, "PUT", ECHO, b"{}", gone.authorization("PUT", ECHO, {}, "test"))
        assert (status, body["errcode"]) == (401, "M_UNAUTHORIZED")


@pytest.mark.config(federation_domain_blocklist=["*.bad.example", "127.0.0.1"])
async def test_the_block_list(server: TestServer, remote: RemoteServer) -> None:
    await check_denied(server, remote)
    policy = federation(server).policy
    assert not policy.allows("a.BAD.example:8448")
    assert policy.allows("bad.example") and policy.allows("notbad.example")


@pytest.mark.config(federation_domain_whitelist=["good.example"])
async def test_the_whitelist(server: TestServer, remote: RemoteServer) -> None:
    await check_denied(server, remote)
    policy = federation(server).policy
    assert policy.allows("good.example") and policy.allows("GOOD.example")
    assert not policy.allows("good.example:8448") and not policy.allows("a.good.example")


async def check_denied(server: TestServer, remote: RemoteServer) -> None:
    """Neither may it ask us, nor do we ask it."""
    status, body = await ask(server, "PUT", ECHO, b"{}", put_header(remote))
    assert (status, body["errcode"]) == (403, "M_FORBIDDEN")
    with pytest.raises(ServerDenied):
        await federation(server).client.get(remote.name, PROFILE)
    assert remote.seen == []


@pytest.mark.config(federation_enabled=False)
async def test_federation_switched_off(server: TestServer, remote: RemoteServer) -> None:
    await check_denied(server, remote)
    for path in ("/_matrix/key/v2/server", "/_matrix/federation/v1/version"):
        answer = await server.request("GET", path)
        assert (answer.status, answer.body["errcode"]) == (404, "M_UNRECOGNIZED")


async def test_we_do_not_talk_with_ourselves(server: TestServer) -> None:
    with pytest.raises(ServerDenied):
        await federation(server).client.get("test", PROFILE)


def always(answer: Any) -> Answering:
    """The same answer to everything."""
    return lambda seen: answer


@pytest.mark.config(ip_range_whitelist=[], federation_ip_range_blacklist=["10.0.0.0/8"])
async def test_other_servers_may_have_a_list_of_their_own(server: TestServer, remote: RemoteServer) -> None:
    remote.answers[PROFILE] = always({})
    assert await federation(server).client.get(remote.name, PROFILE) == {}
    with pytest.raises(AddressDenied):
        await federation(server).client.get("10.0.0.1", PROFILE)
    with pytest.raises(AddressDenied):
        await server.homeserver.kit.network.guarded.request("GET", f"https://{remote.name}/")


class Record:
    """Destinations that remember what they were told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.is_open = True

    async def may_try(self, destination: str) -> bool:
        return self.is_open

    def succeeded(self, destination: str) -> None:
        self.heard.append("succeeded")

    def failed(self, destination: str, error: MatrixError) -> None:
        self.heard.append(type(error).__name__)


async def test_errors_and_what_is_remembered_of_them(server: TestServer, remote: RemoteServer) -> None:
    client, record = federation(server).client, Record()
    client.destinations = record
    refusal = {"errcode": "M_FORBIDDEN", "error": "No", "x": 1}
    cases: list[tuple[Any, type[MatrixError], str]] = [
        ((403, refusal), RemoteError, "succeeded"),
        ((404, b"<html>"), RemoteError, "succeeded"),
        ((502, b"<html>"), RemoteError, "RemoteError"),
        ((429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 5}), RemoteError, "RemoteError"),
        ((200, b"<html>"), BadReply, "BadReply"),
        ((200, b'{"a":' * 5000), BadReply, "BadReply"),
        ((200, b"x" * 31_000), ReplyTooLarge, "succeeded"),
        (NOT_DONE_YET, ConnectionTimeout, "ConnectionTimeout"),
    ]
    for answer, error, heard in cases:
        remote.answers[PROFILE] = always(answer)
        with pytest.raises(error):
            await client.get(remote.name, PROFILE, timeout_s=0.5, limit_bytes=30_000)
        assert record.heard.pop() == heard
    remote.answers[PROFILE] = lambda seen: (403, refusal)
    with pytest.raises(RemoteError) as raised:
        await client.get(remote.name, PROFILE)
    failure = raised.value
    assert (failure.remote_status, failure.remote_errcode, failure.remote_body["x"]) == (403, "M_FORBIDDEN", 1)
    assert isinstance(failure.passed_on(), Forbidden)
    assert failure.body()["errcode"] == "M_BAD_STATUS"
    record.heard.clear()
    with pytest.raises(ConnectionFailed):
        await client.get("127.0.0.1:1", PROFILE)
    assert record.heard == ["ConnectionFailed"]
    record.is_open = False
    with pytest.raises(BackingOff):
        await client.get(remote.name, PROFILE)
    remote.answers[PROFILE] = lambda seen: {}
    assert await client.get(remote.name, PROFILE, is_forced=True) == {}


async def test_a_large_answer_is_streamed(server: TestServer, remote: RemoteServer) -> None:
    content = {"state": ["x" * 1000] * 3000}
    remote.answers["/_matrix/federation/v2/send_join"] = lambda seen: content
    got: list[bytes] = []
    await federation(server).client.stream(remote.name, "/_matrix/federation/v2/send_join/a/b", got.append, {"a": 1})
    assert json.loads(b"".join(got)) == content
    assert len(got) > 3
    (seen,) = remote.seen
    assert (seen.method, seen.json) == ("PUT", {"a": 1})
    with pytest.raises(ReplyTooLarge):
        await federation(server).client.stream(remote.name, seen.path, got.append, {}, limit_bytes=1000)
    remote.answers["/_matrix/federation/v2/send_join"] = lambda seen: (403, {"errcode": "M_FORBIDDEN"})
    with pytest.raises(RemoteError) as raised:
        await federation(server).client.stream(remote.name, seen.path, got.append, {})
    assert raised.value.remote_errcode == "M_FORBIDDEN"


async def test_connections_are_kept(server: TestServer, remote: RemoteServer) -> None:
    remote.answers[PROFILE] = lambda seen: {}
    for _ in range(5):
        await federation(server).client.get(remote.name, PROFILE)
    assert len({seen.client_port for seen in remote.seen}) == 1


async def test_our_keys_and_those_of_others(server: TestServer, remote: RemoteServer) -> None:
    document = await server.ok("GET", "/_matrix/key/v2/server")
    key = decode_verify_key_bytes("ed25519:a", decode_base64(document["verify_keys"]["ed25519:a"]["key"]))
    for path in ("/server", "/server/", "/server/ed25519:a"):
        verify_signed_json(await server.ok("GET", f"/_matrix/key/v2{path}"), "test", key)
    replies = [
        await server.ok("GET", f"/_matrix/key/v2/query/{remote.name}"),
        await server.ok("GET", f"/_matrix/key/v2/query/{remote.name}/{remote.key_id}"),
        await server.ok("POST", "/_matrix/key/v2/query", {"server_keys": {remote.name: {}}}),
        await server.ok("POST", "/_matrix/key/v2/query", {"server_keys": {remote.name: {remote.key_id: {}}}}),
    ]
    for reply in replies:
        (theirs,) = reply["server_keys"]
        verify_signed_json(theirs, "test", key)
        verify_signed_json(theirs, remote.name, get_verify_key(remote.signing_key))
    assert await server.ok("GET", "/_matrix/key/v2/query/127.0.0.1:1") == {"server_keys": []}
    assert await server.ok("POST", "/_matrix/key/v2/query", {"server_keys": {}}) == {"server_keys": []}
    assert len(remote.seen) == 1


async def test_questions_for_keys_that_are_refused(server: TestServer) -> None:
    questions: list[Any] = [
        {},
        {"server_keys": []},
        {"server_keys": {"a b": {}}},
        {"server_keys": {"a": []}},
        {"server_keys": {"a": {"k": {"minimum_valid_until_ts": "x"}}}},
        {"server_keys": {f"s{n}.example": {} for n in range(101)}},
        {"server_keys": {"a": {f"k{n}": {} for n in range(501)}}},
    ]
    for question in questions:
        assert (await server.request("POST", "/_matrix/key/v2/query", question)).status == 400, question
    assert (await server.request("GET", "/_matrix/key/v2/query/a%20b")).status == 400


async def test_odd_names_of_keys_are_no_outage(server: TestServer) -> None:
    for name in ("\x00", "é", "x" * 5000, "ed25519:\udc00"):
        body = {"server_keys": {"127.0.0.1:1": {name: {"minimum_valid_until_ts": 2**62}}}}
        answer = await server.request("POST", "/_matrix/key/v2/query", body)
        assert answer.status in (200, 400)
    assert (await server.request("GET", "/_matrix/federation/v1/version")).body["server"]["name"] == "synapse-like"


async def test_a_server_that_never_answers_holds_few_connections(server: TestServer, remote: RemoteServer) -> None:
    remote.answers[PROFILE] = always(NOT_DONE_YET)
    client = federation(server).client
    work = [Deferred.fromCoroutine(client.get(remote.name, PROFILE, timeout_s=1, is_forced=True)) for _ in range(100)]
    outcomes = await DeferredList(work, consumeErrors=True)
    assert all(isinstance(failure.value, ConnectionTimeout) for _, failure in outcomes)
    assert AT_ONCE <= len(remote.seen) < len(work)  # some get a place just before their own time is over
    remote.answers[PROFILE] = always({})
    assert await client.get(remote.name, PROFILE, is_forced=True) == {}


async def test_a_streamed_answer_must_go_on(server: TestServer, remote: RemoteServer) -> None:
    """A server that begins to answer and then says nothing is given up long before the whole time is over."""

    def begin(seen: Seen) -> Any:
        seen.request.write(b'{"state":[')
        return NOT_DONE_YET

    remote.answers["/_matrix/federation/v2/send_join"] = begin
    got: list[bytes] = []
    path = "/_matrix/federation/v2/send_join/a/b"
    with pytest.raises(ConnectionTimeout, match="does not go on"):
        await federation(server).client.stream(remote.name, path, got.append, {}, idle_s=0.2)
    assert b"".join(got) == b'{"state":['
