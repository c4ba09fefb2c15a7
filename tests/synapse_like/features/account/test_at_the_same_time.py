"""Requests that arrive together: one of two rivals wins, and what has ended stays ended."""

from typing import Any

from synapse_like.features.registration_tokens import RegistrationTokens
from synapse_like.toolkit.together import together
from tests.kit.accounts import PASSWORD, is_alive, session
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]


def register(server: TestServer, name: str, auth: dict[str, Any]) -> Any:
    return server.request("POST", "/register", {"username": name, "password": PASSWORD, "auth": auth})


async def test_a_name_goes_to_one(server: TestServer) -> None:
    answers = await together([register(server, "alice", {"type": "m.login.dummy"}) for _ in range(5)])
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]
    assert {answer.body["errcode"] for answer in answers if answer.status == 400} == {"M_USER_IN_USE"}


async def test_the_last_use_of_a_token_goes_to_one(server: TestServer) -> None:
    tokens: RegistrationTokens = server.homeserver.front(RegistrationTokens)
    await tokens.add("once", 1, None)
    claims = await together([tokens.claim("once", f"session {number}") for number in range(5)])
    assert sorted(map(bool, claims)) == [False] * 4 + [True]


async def test_no_refresh_outlives_a_logout(server: TestServer) -> None:
    await server.register("alice")
    for _ in range(5):
        tokens = await session(server, "alice", refresh_token=True)
        refresh = {"refresh_token": tokens["refresh_token"]}
        answers = await together(
            [
                server.request("POST", "/refresh", refresh),
                server.request("POST", "/logout", {}, token=tokens["access_token"]),
                server.request("POST", "/refresh", refresh),
            ]
        )
        assert answers[1].status == 200
        for answer in answers:
            if "access_token" in answer.body:
                assert not await is_alive(server, answer.body["access_token"])
        assert not await is_alive(server, tokens["access_token"])


async def test_requests_that_cross_a_logout_do_not_revive_the_token(server: TestServer) -> None:
    await server.register("alice")
    for _ in range(5):
        token = (await session(server, "alice"))["access_token"]
        ask = [server.request("GET", "/account/whoami", token=token) for _ in range(6)]
        await together([*ask[:3], server.request("POST", "/logout", {}, token=token), *ask[3:]])
        assert not await is_alive(server, token)


async def test_a_deleted_device_does_not_come_back_by_a_new_name(server: TestServer) -> None:
    await server.register("alice", device_id="KEPT")
    for _ in range(5):
        token = (await session(server, "alice", device_id="PHONE"))["access_token"]
        await together(
            [
                server.request("POST", "/logout", {}, token=token),
                server.request("PUT", "/devices/PHONE", {"display_name": "x"}, token=token),
            ]
        )
    kept = (await session(server, "alice", device_id="KEPT"))["access_token"]
    assert [device["device_id"] for device in (await server.ok("GET", "/devices", token=kept))["devices"]] == ["KEPT"]
