"""Registration tokens: the administrators' API, and registering with them."""

from typing import Any

import pytest

from synapse_like.features.registration_tokens import RegistrationTokens
from tests.kit.accounts import PASSWORD, make_admin, move_clock
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]

ADMIN = "/_synapse/admin/v1/registration_tokens"
VALIDITY = "/_matrix/client/v1/register/m.login.registration_token/validity"
DAY_MS = 24 * 60 * 60 * 1000


def tokens_of(server: TestServer) -> RegistrationTokens:
    front: RegistrationTokens = server.homeserver.front(RegistrationTokens)
    return front


async def register(server: TestServer, name: str, token: str, session: str | None = None) -> Answer:
    auth: dict[str, Any] = {"type": "m.login.registration_token", "token": token}
    if session is not None:
        auth["session"] = session
    return await server.request("POST", "/register", {"username": name, "password": PASSWORD, "auth": auth})


async def counts(server: TestServer, token: str) -> tuple[int, int]:
    found = await tokens_of(server).get(token)
    return found.pending, found.completed


async def test_administrators_make_change_and_delete_tokens(server: TestServer) -> None:
    admin = await make_admin(server, "admin")
    body = {"token": "abcd", "uses_allowed": 2}
    made = await server.ok("POST", f"{ADMIN}/new", body, token=admin)
    assert made == {"token": "abcd", "uses_allowed": 2, "pending": 0, "completed": 0, "expiry_time": None}
    assert await server.ok("GET", f"{ADMIN}/abcd", token=admin) == made
    later = server.homeserver.kit.clock.now_ms() + DAY_MS
    changed = await server.ok("PUT", f"{ADMIN}/abcd", {"expiry_time": later}, token=admin)
    assert (changed["uses_allowed"], changed["expiry_time"]) == (2, later)
    changed = await server.ok("PUT", f"{ADMIN}/abcd", {"uses_allowed": None}, token=admin)
    assert (changed["uses_allowed"], changed["expiry_time"]) == (None, later)
    other = (await server.ok("POST", f"{ADMIN}/new", {"uses_allowed": 0, "length": 30}, token=admin))["token"]
    assert len(other) == 30
    for valid, expected in (("true", ["abcd"]), ("false", [other])):
        listed = await server.ok("GET", ADMIN, token=admin, query={"valid": valid})
        assert [token["token"] for token in listed["registration_tokens"]] == expected
    assert await server.ok("DELETE", f"{ADMIN}/abcd", token=admin) == {}
    for method in ("GET", "PUT", "DELETE"):
        answer = await server.request(method, f"{ADMIN}/abcd", {} if method == "PUT" else None, token=admin)
        assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")


async def test_what_is_wrong_is_named(server: TestServer) -> None:
    admin = await make_admin(server, "admin")
    await server.ok("POST", f"{ADMIN}/new", {"token": "taken"}, token=admin)
    wrong: list[dict[str, Any]] = [
        {"token": "taken"},
        {"token": "a b"},
        {"token": ""},
        {"token": "x" * 65},
        {"length": 0},
        {"length": 65},
        {"uses_allowed": -1},
        {"uses_allowed": 2**60},
        {"expiry_time": 1},
        {"expiry_time": "never"},
    ]
    for body in wrong:
        answer = await server.request("POST", f"{ADMIN}/new", body, token=admin)
        assert answer.status == 400, body


async def test_only_administrators_may(server: TestServer) -> None:
    token = await server.register("alice")
    assert (await server.request("GET", ADMIN, token=token)).status == 403
    assert (await server.request("POST", f"{ADMIN}/new", {}, token=token)).status == 403
    assert (await server.request("GET", ADMIN)).status == 401


@pytest.mark.config(registration_requires_token=True, enable_registration_without_verification=False)
async def test_a_token_is_used_up(server: TestServer) -> None:
    await tokens_of(server).add("twice", 2, None)
    asked = await server.request("POST", "/register", {})
    assert asked.body["flows"] == [{"stages": ["m.login.registration_token"]}]
    assert (await register(server, "alice", "twice", asked.body["session"])).status == 200
    assert (await register(server, "bob", "twice")).status == 200
    assert await counts(server, "twice") == (0, 2)
    refused = await register(server, "carol", "twice")
    assert (refused.status, refused.body["errcode"]) == (401, "M_UNAUTHORIZED")
    assert (await register(server, "carol", "unknown")).status == 401
    assert (await server.ok("GET", VALIDITY, query={"token": "twice"})) == {"valid": False}


@pytest.mark.config(registration_requires_token=True, enable_registration_without_verification=False)
async def test_nobody_registers_without_a_token(server: TestServer) -> None:
    body = {"username": "alice", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
    assert (await server.request("POST", "/register", body)).status == 400


async def test_an_expired_token_is_none(server: TestServer) -> None:
    now_ms = server.homeserver.kit.clock.now_ms()
    await tokens_of(server).add("soon", None, now_ms + 1000)
    assert await tokens_of(server).is_valid("soon")
    move_clock(server, 2000)
    assert not await tokens_of(server).is_valid("soon")
    assert not await tokens_of(server).claim("soon", "session")


async def test_one_registration_holds_one_use(server: TestServer) -> None:
    tokens = tokens_of(server)
    for name in ("one", "other"):
        await tokens.add(name, 1, None)
    assert [await tokens.claim(name, "s1") for name in ("one", "one", "other")] == [True, True, True]
    assert (await counts(server, "one"), await counts(server, "other")) == ((0, 0), (1, 0))
    assert not await tokens.claim("other", "s2")
    await tokens.finish("s1")
    await tokens.finish("s1")
    assert await counts(server, "other") == (0, 1)


async def test_what_is_never_finished_is_given_back(server: TestServer) -> None:
    tokens = tokens_of(server)
    await tokens.add("one", 1, None)
    assert await tokens.claim("one", "s1")
    await tokens.give_back_stale()
    assert not await tokens.is_valid("one")
    move_clock(server, 2 * DAY_MS)
    await tokens.give_back_stale()
    assert await tokens.is_valid("one")
    assert await counts(server, "one") == (0, 0)


async def test_anybody_may_ask_whether_a_token_is_good(server: TestServer) -> None:
    await tokens_of(server).add("good", None, None)
    for token, is_valid in (("good", True), ("bad", False), ("a b", False), ("nul", False)):
        assert await server.ok("GET", VALIDITY, query={"token": token}) == {"valid": is_valid}
    assert (await server.request("GET", VALIDITY)).status == 400
