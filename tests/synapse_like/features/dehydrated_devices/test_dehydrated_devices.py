"""A device that waits on the server for its user to come back."""

from typing import Any

from tests.kit.encryption import ALGORITHM, KeyDevice
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]

PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
DATA = {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "abc", "nonce": "x"}


async def put(device: KeyDevice, device_id: str = "DEHYDRATED", **change: Any) -> Answer:
    other = KeyDevice(device.server, "", device.user_id, device_id)
    body = {
        "device_id": device_id,
        "device_data": DATA,
        "initial_device_display_name": "asleep",
        "device_keys": {**other.device_keys, "dehydrated": True},
        "one_time_keys": other.one_time_keys(["a", "b"]),
        "fallback_keys": {f"{ALGORITHM}:spare": {**other.one_time_key("spare"), "fallback": True}},
        **change,
    }
    return await device.server.request("PUT", PATH, body, token=device.token)


async def pair(server: TestServer) -> tuple[KeyDevice, KeyDevice]:
    return await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")


async def test_a_device_is_put_to_sleep_and_found(server: TestServer) -> None:
    alice, bob = await pair(server)
    missing = await server.request("GET", PATH, token=alice.token)
    assert (missing.status, missing.body["errcode"]) == (404, "M_NOT_FOUND")
    answer = await put(alice)
    assert (answer.status, answer.body) == (200, {"device_id": "DEHYDRATED"})
    assert await alice.ok("GET", PATH) == {"device_id": "DEHYDRATED", "device_data": DATA}
    keys = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["DEHYDRATED"]
    assert keys["dehydrated"] is True
    assert keys["unsigned"] == {"device_display_name": "asleep"}
    assert await bob.claim(alice.user_id, "DEHYDRATED") is not None


async def test_another_one_replaces_it(server: TestServer) -> None:
    alice, bob = await pair(server)
    await put(alice)
    await put(alice, "SECOND")
    assert (await alice.ok("GET", PATH))["device_id"] == "SECOND"
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"SECOND"}
    assert (await put(alice, "SECOND")).status == 200, "the same again"
    ids = {device["device_id"] for device in (await alice.ok("GET", "/devices"))["devices"]}
    assert ids == {"PHONE", "SECOND"}


async def test_it_is_deleted(server: TestServer) -> None:
    alice, bob = await pair(server)
    await put(alice)
    assert await alice.ok("DELETE", PATH) == {"device_id": "DEHYDRATED"}
    assert (await server.request("GET", PATH, token=alice.token)).status == 404
    assert (await server.request("DELETE", PATH, token=alice.token)).status == 404
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id] == {}


async def test_its_messages_are_read_page_by_page(server: TestServer) -> None:
    alice, bob = await pair(server)
    await put(alice)
    for index in range(130):
        await bob.send(f"{index}", {alice.user_id: {"*": {"n": index}}})
    path = f"{PATH}/DEHYDRATED/events"
    first = await alice.ok("POST", path, {})
    assert [event["content"]["n"] for event in first["events"]] == list(range(100))
    assert first["events"] == (await alice.ok("GET", path))["events"]
    second = await alice.ok("POST", path, {"next_batch": first["next_batch"]})
    assert [event["content"]["n"] for event in second["events"]] == list(range(100, 130))
    third = await alice.ok("GET", path, query={"from": second["next_batch"]})
    assert third == {"events": []}
    assert (await alice.ok("POST", path, {}))["events"] == [], "what was read is deleted"
    messages = (await alice.sync())["to_device"]["events"]
    assert len(messages) == 100, "the other device has its own"


async def test_only_ones_own_may_be_read(server: TestServer) -> None:
    alice, bob = await pair(server)
    await put(alice)
    for device, device_id in ((bob, "DEHYDRATED"), (alice, "PHONE")):
        answer = await server.request("POST", f"{PATH}/{device_id}/events", {}, token=device.token)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    for place in ("x", "d", "d-1", "d" + "9" * 30):
        body = {"next_batch": place}
        answer = await server.request("POST", f"{PATH}/DEHYDRATED/events", body, token=alice.token)
        assert answer.status == 400, place


async def test_bad_devices_change_nothing(server: TestServer) -> None:
    alice, _ = await pair(server)
    await put(alice)
    for device_id, change in (
        ("PHONE", {}),
        ("", {}),
        ("x" * 600, {}),
        ("NEW", {"device_keys": {}}),
        ("NEW", {"device_data": 5}),
        ("NEW", {"one_time_keys": {"x": "y"}}),
        ("NEW", {"device_data": {"x": "y" * 300_000}}),
    ):
        assert (await put(alice, device_id, **change)).status in (400, 413), device_id
    assert await alice.ok("GET", PATH) == {"device_id": "DEHYDRATED", "device_data": DATA}
