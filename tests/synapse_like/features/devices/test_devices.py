"""The list of devices, over the API."""

from typing import Any

import pytest

from tests.kit.accounts import is_alive, proof, session
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]


async def ids(server: TestServer, token: str) -> list[str]:
    return [device["device_id"] for device in (await server.ok("GET", "/devices", token=token))["devices"]]


async def delete(server: TestServer, token: str, device_id: str, auth: Any = None) -> Answer:
    body = {} if auth is None else {"auth": auth}
    return await server.request("DELETE", f"/devices/{device_id}", body, token=token)


async def test_a_device_is_shown(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE", initial_device_display_name="my phone")
    found = await server.ok("GET", "/devices/PHONE", token=token)
    assert found.pop("last_seen_ts") > 0
    assert found == {"device_id": "PHONE", "display_name": "my phone", "last_seen_ip": "10.0.0.1"}
    answer = await server.request("GET", "/devices/OTHER", token=token)
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")


async def test_a_device_is_renamed(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE")
    await server.ok("PUT", "/devices/PHONE", {"display_name": "new"}, token=token)
    await server.ok("PUT", "/devices/PHONE", {}, token=token)
    assert (await server.ok("GET", "/devices/PHONE", token=token))["display_name"] == "new"
    for device_id, name, status in (("OTHER", "x", 404), ("PHONE", "x" * 101, 400), ("PHONE", "\0", 400)):
        answer = await server.request("PUT", f"/devices/{device_id}", {"display_name": name}, token=token)
        assert answer.status == status


async def test_nobody_sees_the_devices_of_others(server: TestServer) -> None:
    await server.register("alice", device_id="PHONE")
    token = await server.register("bob", device_id="LAPTOP")
    assert await ids(server, token) == ["LAPTOP"]
    assert (await server.request("GET", "/devices/PHONE", token=token)).status == 404
    assert (await server.request("PUT", "/devices/PHONE", {"display_name": "x"}, token=token)).status == 404


async def test_deleting_a_device_wants_proof(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE")
    other = (await session(server, "alice", device_id="LAPTOP"))["access_token"]
    asked = await delete(server, token, "LAPTOP")
    assert asked.status == 401
    assert asked.body["flows"] == [{"stages": ["m.login.password"]}]
    assert await is_alive(server, other)
    done = await delete(server, token, "LAPTOP", proof("alice", session=asked.body["session"]))
    assert done.status == 200
    assert await ids(server, token) == ["PHONE"]
    assert not await is_alive(server, other)


async def test_proof_for_one_device_is_none_for_another(server: TestServer) -> None:
    token = await server.register("alice", device_id="PHONE")
    await session(server, "alice", device_id="LAPTOP")
    asked = await delete(server, token, "LAPTOP")
    answer = await delete(server, token, "PHONE", proof("alice", session=asked.body["session"]))
    assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert await ids(server, token) == ["LAPTOP", "PHONE"]


async def test_several_devices_are_deleted(server: TestServer) -> None:
    token = await server.register("alice", device_id="A")
    for device_id in ("B", "C"):
        await session(server, "alice", device_id=device_id)
    body = {"devices": ["B", "C", "unknown"], "auth": proof("alice")}
    await server.ok("POST", "/delete_devices", body, token=token)
    assert await ids(server, token) == ["A"]
    await server.ok("POST", "/delete_devices", {"devices": [], "auth": proof("alice")}, token=token)


async def test_a_deleted_device_may_come_back(server: TestServer) -> None:
    token = await server.register("alice", device_id="A", initial_device_display_name="old")
    await session(server, "alice", device_id="B", initial_device_display_name="old")
    assert (await delete(server, token, "B", proof("alice"))).status == 200
    await session(server, "alice", device_id="B", initial_device_display_name="new")
    assert (await server.ok("GET", "/devices/B", token=token))["display_name"] == "new"


@pytest.mark.config(ui_auth={"session_timeout": "1m"})
async def test_who_has_just_logged_in_is_not_asked(server: TestServer) -> None:
    token = await server.register("alice", device_id="A")
    await session(server, "alice", device_id="B")
    assert (await delete(server, token, "B")).status == 200
