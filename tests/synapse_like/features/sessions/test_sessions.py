"""Sessions: what a token opens, how long, and what ends it."""

from typing import Any

import pytest

from synapse_like.features.sessions import Devices, TokenAuthenticator
from synapse_like.matrix.errors import UnknownToken
from synapse_like.toolkit.http.request import Request
from tests.kit.accounts import is_alive, move_clock, session
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]

MINUTE_MS = 60_000


async def refresh(server: TestServer, token: str) -> Any:
    return await server.ok("POST", "/refresh", {"refresh_token": token})


async def refused(server: TestServer, token: str) -> Any:
    answer = await server.request("POST", "/refresh", {"refresh_token": token})
    assert (answer.status, answer.body["errcode"]) == (401, "M_UNKNOWN_TOKEN")
    return answer.body


async def test_a_known_token_asks_the_database_nothing(server: TestServer) -> None:
    token = await server.register("alice")
    assert await is_alive(server, token)
    await server.quiet()
    server.queries.clear()
    for _ in range(5):
        assert await is_alive(server, token)
    assert server.queries == []


async def test_the_first_request_with_a_token_is_one_query(server: TestServer) -> None:
    token = await server.register("alice")
    await server.quiet()
    server.queries.clear()
    assert await is_alive(server, token)
    assert len(server.queries) == 1


async def test_no_token_stands_in_the_database(server: TestServer) -> None:
    await server.register("alice")
    found = await session(server, "alice", refresh_token=True)
    tables = ("access_tokens", "refresh_tokens")
    rows = await server.homeserver.kit.database.read(
        lambda txn: str([txn.all(f"SELECT * FROM {table}") for table in tables])
    )
    for token in (found["access_token"], found["refresh_token"]):
        assert token not in rows and token.split("_")[2] not in rows


async def test_what_is_no_token_is_unknown(server: TestServer) -> None:
    for token in ("", "x", "slt_00000000_x_00000000", "\udc80", "a b", "x" * 5000, "nul\0"):
        with pytest.raises(UnknownToken):
            await server.homeserver.front(TokenAuthenticator).authenticate(token, Request("GET", "/"))


async def test_logging_out_ends_the_token_and_the_device(server: TestServer) -> None:
    token = await server.register("alice")
    other = (await session(server, "alice"))["access_token"]
    assert await is_alive(server, token)
    await server.ok("POST", "/logout", {}, token=token)
    assert not await is_alive(server, token)
    assert len((await server.ok("GET", "/devices", token=other))["devices"]) == 1


async def test_logging_out_everywhere_ends_all(server: TestServer) -> None:
    token = await server.register("alice")
    other = (await session(server, "alice"))["access_token"]
    stranger = await server.register("bob")
    await server.ok("POST", "/logout/all", token=token)
    assert [await is_alive(server, each) for each in (token, other, stranger)] == [False, False, True]


async def test_logging_in_again_on_a_device_ends_its_old_tokens_and_keeps_its_name(server: TestServer) -> None:
    await server.register("alice", device_id="PHONE", initial_device_display_name="my phone")
    first = await session(server, "alice", device_id="PHONE", initial_device_display_name="another name")
    assert await is_alive(server, first["access_token"])
    second = await session(server, "alice", device_id="PHONE", refresh_token=True)
    assert not await is_alive(server, first["access_token"])
    devices = (await server.ok("GET", "/devices", token=second["access_token"]))["devices"]
    assert [(device["device_id"], device["display_name"]) for device in devices] == [("PHONE", "my phone")]


async def test_who_am_i(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE")
    found = await server.ok("GET", "/account/whoami", token=token)
    assert found == {"user_id": "@alice:test", "device_id": "PHONE", "is_guest": False}


async def test_tokens_are_refreshed(server: TestServer) -> None:
    await server.register("alice")
    first = await session(server, "alice", refresh_token=True)
    assert first["expires_in_ms"] == 5 * MINUTE_MS
    second = await refresh(server, first["refresh_token"])
    assert await is_alive(server, first["access_token"])
    assert await is_alive(server, second["access_token"])
    assert not await is_alive(server, first["access_token"])
    assert not (await refused(server, first["refresh_token"]))["soft_logout"]
    third = await refresh(server, second["refresh_token"])
    assert await is_alive(server, third["access_token"])
    whoami = await server.ok("GET", "/account/whoami", token=third["access_token"])
    assert whoami["device_id"] == first["device_id"]


async def test_a_refresh_token_stays_good_until_its_successor_is_used(server: TestServer) -> None:
    await server.register("alice")
    first = await session(server, "alice", refresh_token=True)
    lost = await refresh(server, first["refresh_token"])
    second = await refresh(server, first["refresh_token"])
    assert await is_alive(server, second["access_token"])
    await refused(server, first["refresh_token"])
    await refused(server, lost["refresh_token"])
    assert not await is_alive(server, lost["access_token"])


async def test_using_the_new_refresh_token_ends_the_old_one(server: TestServer) -> None:
    await server.register("alice")
    first = await session(server, "alice", refresh_token=True)
    second = await refresh(server, first["refresh_token"])
    third = await refresh(server, second["refresh_token"])
    await refused(server, first["refresh_token"])
    assert not await is_alive(server, first["access_token"])
    assert await is_alive(server, third["access_token"])


async def test_an_expired_token_is_a_soft_logout(server: TestServer) -> None:
    await server.register("alice")
    first = await session(server, "alice", refresh_token=True)
    assert await is_alive(server, first["access_token"])
    move_clock(server, 6 * MINUTE_MS)
    answer = await server.request("GET", "/account/whoami", token=first["access_token"])
    assert (answer.status, answer.body["errcode"], answer.body["soft_logout"]) == (401, "M_UNKNOWN_TOKEN", True)
    second = await refresh(server, first["refresh_token"])
    assert await is_alive(server, second["access_token"])


async def test_a_logout_ends_the_refresh_token_too(server: TestServer) -> None:
    await server.register("alice")
    first = await session(server, "alice", refresh_token=True)
    await server.ok("POST", "/logout", token=first["access_token"])
    await refused(server, first["refresh_token"])


@pytest.mark.config(session_lifetime="1h", refreshable_access_token_lifetime="5m", refresh_token_lifetime="30m")
async def test_a_session_ends_however_often_it_is_refreshed(server: TestServer) -> None:
    await server.register("alice")
    tokens = await session(server, "alice", refresh_token=True)
    for _ in range(2):
        move_clock(server, 29 * MINUTE_MS)
        tokens = await refresh(server, tokens["refresh_token"])
    assert tokens["expires_in_ms"] <= 2 * MINUTE_MS
    move_clock(server, 3 * MINUTE_MS)
    assert (await refused(server, tokens["refresh_token"]))["soft_logout"]


@pytest.mark.config(session_lifetime="1h")
async def test_without_a_lifetime_of_their_own_no_tokens_are_refreshed_in_limited_sessions(server: TestServer) -> None:
    await server.register("alice")
    found = await session(server, "alice", refresh_token=True)
    assert "refresh_token" not in found
    assert found["expires_in_ms"] == 60 * MINUTE_MS


@pytest.mark.config(nonrefreshable_access_token_lifetime="10m")
async def test_tokens_that_are_not_refreshed_have_their_own_lifetime(server: TestServer) -> None:
    await server.register("alice")
    assert (await session(server, "alice"))["expires_in_ms"] == 10 * MINUTE_MS


async def test_sightings_are_written_behind(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE")
    devices = server.homeserver.front(Devices)
    for _ in range(3):
        assert await is_alive(server, token)
    (device,) = await devices.all("@alice:test")
    assert device.sighting is not None and device.sighting.ip == "10.0.0.1"
    rows = "SELECT device_id, ip FROM device_sightings"
    assert await server.homeserver.kit.database.read(lambda txn: txn.all(rows)) == []
    (job,) = [job for built in server.homeserver.built for name, _, job in built.ticks if name == "sightings"]
    await job()
    assert await server.homeserver.kit.database.read(lambda txn: txn.all(rows)) == [("PHONE", "10.0.0.1")]
    assert await is_alive(server, token)
    await server.quiet()
    server.queries.clear()
    await job()
    assert server.queries == []
