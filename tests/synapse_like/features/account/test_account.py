"""Changing the password, closing the account, and the addresses that it has not got."""

from typing import Any

import pytest

from synapse_like.features.accounts import Accounts, Departures
from tests.kit.accounts import PASSWORD, is_alive, log_in, proof, session, sqlite_server
from tests.kit.homeserver import TestServer

__all__ = ["sqlite_server"]


async def test_the_password_is_changed_and_other_sessions_end(server: TestServer) -> None:
    token = await server.register("alice")
    other = (await session(server, "alice"))["access_token"]
    body = {"new_password": "new password", "auth": proof("alice")}
    assert await server.ok("POST", "/account/password", body, token=token) == {}
    assert [await is_alive(server, each) for each in (token, other)] == [True, False]
    assert (await log_in(server, "alice", PASSWORD)).status == 403
    assert (await log_in(server, "alice", "new password")).status == 200


async def test_other_sessions_may_stay(server: TestServer) -> None:
    token = await server.register("alice")
    other = (await session(server, "alice"))["access_token"]
    body = {"new_password": "new password", "logout_devices": False, "auth": proof("alice")}
    await server.ok("POST", "/account/password", body, token=token)
    assert await is_alive(server, other)


@pytest.mark.config(password_config={"policy": {"enabled": True, "minimum_length": 9}})
async def test_the_policy_comes_before_the_proof(server: TestServer) -> None:
    token = await server.register("alice")
    answer = await server.request("POST", "/account/password", {"new_password": "short"}, token=token)
    assert (answer.status, answer.body["errcode"]) == (400, "M_WEAK_PASSWORD")


async def test_a_closed_account_is_dead(server: TestServer) -> None:
    left: list[tuple[str, bool]] = []

    async def leave(user_id: str, is_erased: bool) -> None:
        left.append((user_id, is_erased))

    server.homeserver.front(Accounts).on_deactivated.append(leave)
    token = await server.register("alice")
    tokens = await session(server, "alice", refresh_token=True)
    assert (await server.request("POST", "/account/deactivate", {}, token=token)).status == 401
    body = {"auth": proof("alice"), "erase": True}
    assert await server.ok("POST", "/account/deactivate", body, token=token) == {"id_server_unbind_result": "success"}
    assert [await is_alive(server, each) for each in (token, tokens["access_token"])] == [False, False]
    refreshed = await server.request("POST", "/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refreshed.status == 401
    answer = await log_in(server, "alice")
    assert (answer.status, answer.body["errcode"]) == (403, "M_USER_DEACTIVATED")
    answer = await server.request("POST", "/register", {"username": "alice", "password": PASSWORD})
    assert answer.body["errcode"] == "M_USER_IN_USE"
    await server.homeserver.front(Departures).idle()
    assert left == [("@alice:test", True)]


@pytest.mark.config(password_config={"localdb_enabled": False})
async def test_without_passwords_of_its_own_the_server_changes_none(server: TestServer) -> None:
    token = await server.register("alice")
    body = {"new_password": "x", "auth": proof("alice")}
    assert (await server.request("POST", "/account/password", body, token=token)).status == 403
    capabilities = (await server.ok("GET", "/capabilities", token=token))["capabilities"]
    assert capabilities["m.change_password"] == {"enabled": False}


async def test_there_are_no_addresses(server: TestServer) -> None:
    token = await server.register("alice")
    assert await server.ok("GET", "/account/3pid", token=token) == {"threepids": []}
    removed = await server.ok("POST", "/account/3pid/delete", {"medium": "email", "address": "a@b.c"}, token=token)
    assert removed == {"id_server_unbind_result": "no-support"}
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("/account/3pid/add", {"client_secret": "x", "sid": "y"}, "M_SESSION_NOT_VALIDATED"),
        ("/account/3pid/email/requestToken", {"email": "a@b.c"}, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("/register/msisdn/requestToken", {"phone_number": "1"}, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("/account/password/email/requestToken", {"email": "a@b.c"}, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
    ]
    for path, body, errcode in refused:
        answer = await server.request("POST", path, body, token=token)
        assert (answer.status, answer.body["errcode"]) == (400, errcode)
