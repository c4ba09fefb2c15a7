"""Logging in with a password."""

from typing import Any

import pytest

from tests.kit.accounts import PASSWORD, is_alive, log_in, session, sqlite_server
from tests.kit.homeserver import TestServer

__all__ = ["sqlite_server"]

ONCE = {"per_second": 0.0001, "burst_count": 1}
FREELY = {"per_second": 1000, "burst_count": 1000}


async def test_the_flows(server: TestServer) -> None:
    assert await server.ok("GET", "/login") == {"flows": [{"type": "m.login.password"}]}


async def test_a_user_logs_in(server: TestServer) -> None:
    await server.register("alice")
    for name in ("alice", "Alice", "@alice:test", "@ALICE:test"):
        found = await session(server, name, device_id="PHONE")
        assert (found["user_id"], found["device_id"], found["home_server"]) == ("@alice:test", "PHONE", "test")
        assert await is_alive(server, found["access_token"])


async def test_old_clients_name_the_user_directly(server: TestServer) -> None:
    await server.register("alice")
    body = {"type": "m.login.password", "user": "alice", "password": PASSWORD}
    assert (await server.ok("POST", "/login", body))["user_id"] == "@alice:test"


async def test_who_is_not_known_is_refused(server: TestServer) -> None:
    await server.register("alice")
    for name in ("nobody", "@alice:elsewhere", "", "@", "nul\0", "x" * 300, "@x:y:z"):
        answer = await log_in(server, name)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")


WRONG: list[tuple[Any, int, str]] = [
    ({}, 400, "M_BAD_JSON"),
    ({"type": "m.login.unknown"}, 400, "M_UNKNOWN"),
    ({"type": "m.login.password"}, 400, "M_MISSING_PARAM"),
    ({"type": "m.login.password", "password": "x"}, 400, "M_MISSING_PARAM"),
    ({"type": "m.login.password", "password": 7, "user": "alice"}, 400, "M_BAD_JSON"),
    ({"type": "m.login.password", "password": "x", "identifier": {"type": "m.id.phone"}}, 403, "M_FORBIDDEN"),
    ({"type": "m.login.password", "password": PASSWORD, "user": "alice", "device_id": "\0"}, 400, "M_INVALID_PARAM"),
    ([], 400, "M_BAD_JSON"),
]


async def test_what_is_wrong_is_named(server: TestServer) -> None:
    await server.register("alice")
    for body, status, errcode in WRONG:
        answer = await server.request("POST", "/login", body)
        assert (answer.status, answer.body["errcode"]) == (status, errcode), body


@pytest.mark.config(rc_login={"address": FREELY, "account": FREELY, "failed_attempts": ONCE})
async def test_guessing_is_slowed_down(server: TestServer) -> None:
    await server.register("alice")
    assert (await log_in(server, "alice", "wrong")).status == 403
    for password in ("wrong again", PASSWORD):
        answer = await log_in(server, "alice", password)
        assert (answer.status, answer.body["errcode"]) == (429, "M_LIMIT_EXCEEDED")
        assert answer.body["retry_after_ms"] > 0
    await server.register("bob")
    assert (await log_in(server, "bob")).status == 200


@pytest.mark.config(rc_login={"address": ONCE, "account": FREELY, "failed_attempts": FREELY})
async def test_logins_from_one_address_are_limited(server: TestServer) -> None:
    await server.register("alice")
    assert [(await log_in(server, "alice")).status for _ in range(2)] == [200, 429]


@pytest.mark.config(rc_login={"address": FREELY, "account": ONCE, "failed_attempts": FREELY})
async def test_logins_to_one_account_are_limited(server: TestServer) -> None:
    await server.register("alice")
    assert [(await log_in(server, "alice")).status for _ in range(2)] == [200, 429]


@pytest.mark.config(password_config={"enabled": False})
async def test_without_passwords_nobody_logs_in(server: TestServer) -> None:
    await server.register("alice")
    assert (await server.ok("GET", "/login"))["flows"] == []
    assert (await log_in(server, "alice")).status == 400


@pytest.mark.config(public_baseurl="https://matrix.test/")
async def test_clients_are_told_where_the_server_is(server: TestServer) -> None:
    await server.register("alice")
    assert (await session(server, "alice"))["well_known"] == {"m.homeserver": {"base_url": "https://matrix.test/"}}


async def test_the_page_for_other_clients(server: TestServer) -> None:
    answer = await server.request("GET", "/_matrix/static/client/login/")
    assert answer.status == 200
    assert b"m.login.password" in answer.body
