"""Keys of devices: uploaded, shown, ended; and cross-signing."""

import operator
from typing import Any

import pytest

from synapse_like.features.accounts import Departures
from tests.kit.encryption import KeyDevice, cross_signing_keys, proof_of, sign_device, sign_user, signed
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]


async def pair(server: TestServer) -> tuple[KeyDevice, KeyDevice]:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.upload()
    await bob.upload()
    return alice, bob


async def cross_sign(device: KeyDevice, name: str = "", auth: Any = None) -> Answer:
    body = {**cross_signing_keys(device.user_id, name), **({"auth": auth} if auth else {})}
    return await device.server.request("POST", "/keys/device_signing/upload", body, token=device.token)


async def sign(device: KeyDevice, objects: Any) -> Any:
    return (await device.ok("POST", "/keys/signatures/upload", objects))["failures"]


async def test_keys_are_shown_as_they_were_uploaded(server: TestServer) -> None:
    alice, bob = await pair(server)
    found = await bob.query(alice.user_id)
    assert found["device_keys"] == {alice.user_id: {"PHONE": {**alice.device_keys, "unsigned": {}}}}
    assert found["failures"] == {}
    await alice.ok("PUT", "/devices/PHONE", {"display_name": "my phone"})
    keys = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["PHONE"]
    assert keys["unsigned"] == {"device_display_name": "my phone"}


async def test_some_devices_can_be_asked_for(server: TestServer) -> None:
    alice, bob = await pair(server)
    laptop = await alice.login("LAPTOP")
    await laptop.upload()
    body = {"device_keys": {alice.user_id: ["LAPTOP", "NOTHING"], bob.user_id: [], "@nobody:test": []}}
    found = (await bob.ok("POST", "/keys/query", body))["device_keys"]
    assert found[alice.user_id].keys() == {"LAPTOP"}
    assert found[bob.user_id].keys() == {"PHONE"}
    assert not found.get("@nobody:test")


@pytest.mark.config(federation_enabled=False)
async def test_users_of_other_servers_are_failures(server: TestServer) -> None:
    alice, _ = await pair(server)
    found = await alice.query("@far:elsewhere.example", alice.user_id)
    assert found["failures"].keys() == {"elsewhere.example"}
    assert found["device_keys"].keys() == {alice.user_id}


async def test_old_clients_name_their_device(server: TestServer) -> None:
    alice, _ = await pair(server)
    await alice.ok("POST", "/_matrix/client/r0/keys/upload/PHONE", {"device_keys": alice.device_keys})
    answer = await server.request("POST", "/keys/upload/OTHER", {}, token=alice.token)
    assert (answer.status, answer.body["errcode"]) == (400, "M_INVALID_PARAM")


async def test_a_closed_account_leaves_no_keys(server: TestServer) -> None:
    alice, bob = await pair(server)
    for each in (alice, bob):
        await cross_sign(each)
    key_id, value = sign_user(alice.user_id, bob.user_id)
    await sign(alice, {bob.user_id: {key_id: value}})
    body = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {}}
    await alice.ok("POST", "/room_keys/version", body)
    await alice.ok("POST", "/account/deactivate", {"auth": proof_of(alice.user_id)})
    await server.homeserver.front(Departures).idle()
    found = await bob.query(alice.user_id)
    assert (found["device_keys"], found["master_keys"]) == ({alice.user_id: {}}, {})
    for table in ("device_keys", "cross_signing_keys", "key_backups"):
        query = f"SELECT user_id FROM {table}"
        rows = await server.homeserver.kit.database.read(operator.methodcaller("all", query))
        assert (alice.user_id,) not in rows, table


async def test_logging_out_ends_the_keys(server: TestServer) -> None:
    alice, bob = await pair(server)
    laptop = await alice.login("LAPTOP")
    await laptop.upload()
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"PHONE", "LAPTOP"}
    await laptop.ok("POST", "/logout", {})
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"PHONE"}
    again = await alice.login("LAPTOP")
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"PHONE"}
    await again.upload()
    assert (await bob.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"PHONE", "LAPTOP"}


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "@bob:test"},
        {"device_id": "OTHER"},
        {"algorithms": "x"},
        {"keys": {}},
        {"keys": {"a": 1}},
        {"signatures": []},
        {"signatures": {"@alice:test": "x"}},
        {"more": "x" * 70000},
    ],
)
async def test_wrong_device_keys_are_refused(server: TestServer, change: dict[str, Any]) -> None:
    alice = await KeyDevice.register(server, "alice")
    body = {"device_keys": {**alice.device_keys, **change}}
    answer = await server.request("POST", "/keys/upload", body, token=alice.token)
    assert answer.status in (400, 413)
    assert (await alice.query(alice.user_id))["device_keys"][alice.user_id] == {}


@pytest.mark.parametrize(
    "body", [{}, {"device_keys": []}, {"device_keys": {"alice": []}}, {"device_keys": {"@a:b": 1}}]
)
async def test_odd_questions_are_refused(server: TestServer, body: Any) -> None:
    alice = await KeyDevice.register(server, "alice")
    answer = await server.request("POST", "/keys/query", body, token=alice.token)
    assert answer.status == 400


async def test_cold_questions_are_one_query_and_warm_ones_none(server: TestServer) -> None:
    people = [await KeyDevice.register(server, f"user{index}") for index in range(6)]
    for person in people:
        await person.upload()
    await server.caught_up()
    counts = []
    for amount in (2, 6):
        users = [person.user_id for person in people[:amount]]
        asked = []
        for _ in range(2):
            await server.quiet()
            server.queries.clear()
            await people[0].query(*users)
            asked.append(len([query for query in server.queries if "FROM members" not in query]))  # a second look
        counts.append(tuple(asked))
    assert counts == [(1, 0), (1, 0)]


async def test_what_was_read_while_it_changed_is_not_remembered(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await pair(server)
    await alice.upload()
    await server.caught_up()
    database = server.homeserver.kit.database
    read = database.read
    changes = [alice]

    async def slow(function: Any) -> Any:
        found = await read(function)
        if changes and "published" in function.__module__:
            device = changes.pop()
            await device.query(device.user_id)  # another load, which ends before this one
            await device.ok("PUT", "/devices/PHONE", {"display_name": "new"})
            await server.caught_up()
        return found

    monkeypatch.setattr(database, "read", slow)
    await bob.query(alice.user_id)
    assert not changes
    keys = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["PHONE"]
    assert keys["unsigned"] == {"device_display_name": "new"}


async def test_what_was_just_changed_is_in_the_next_answer(server: TestServer) -> None:
    alice, bob = await pair(server)
    await alice.upload()
    for name in ("one", "two", "three"):
        await bob.query(alice.user_id)
        await alice.ok("PUT", "/devices/PHONE", {"display_name": name})
        keys = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["PHONE"]
        assert keys["unsigned"] == {"device_display_name": name}


async def test_the_first_cross_signing_keys_need_no_proof(server: TestServer) -> None:
    alice, bob = await pair(server)
    assert (await cross_sign(alice)).status == 200
    assert (await cross_sign(alice)).status == 200, "the same again"
    keys = cross_signing_keys(alice.user_id)
    seen = await bob.query(alice.user_id)
    assert seen["master_keys"] == {alice.user_id: keys["master_key"]}
    assert seen["self_signing_keys"] == {alice.user_id: keys["self_signing_key"]}
    assert seen["user_signing_keys"] == {}
    assert (await alice.query(alice.user_id))["user_signing_keys"] == {alice.user_id: keys["user_signing_key"]}


async def test_other_cross_signing_keys_need_proof(server: TestServer) -> None:
    alice, bob = await pair(server)
    await cross_sign(alice)
    asked = await cross_sign(alice, "new")
    assert asked.status == 401
    assert asked.body["flows"] == [{"stages": ["m.login.password"]}]
    assert (await bob.query(alice.user_id))["master_keys"][alice.user_id] == cross_signing_keys(alice.user_id)[
        "master_key"
    ]
    done = await cross_sign(alice, "new", {**proof_of(alice.user_id), "session": asked.body["session"]})
    assert done.status == 200
    new = cross_signing_keys(alice.user_id, "new")["master_key"]
    assert (await bob.query(alice.user_id))["master_keys"][alice.user_id] == new


async def test_wrong_cross_signing_keys_are_refused(server: TestServer) -> None:
    alice, bob = await pair(server)
    keys = cross_signing_keys(alice.user_id)
    master, other = keys["master_key"], cross_signing_keys(alice.user_id, "other")
    (key_id,) = master["keys"]
    bad = [
        {"self_signing_key": keys["self_signing_key"]},
        {"master_key": {**master, "user_id": bob.user_id}},
        {"master_key": {**master, "usage": ["self_signing"]}},
        {"master_key": {**master, "keys": {}}},
        {"master_key": {**master, "keys": {"ed25519:x": master["keys"][key_id]}}},
        {"master_key": {**master, "keys": {"ed25519:x": "x"}}},
        {"master_key": master, "self_signing_key": other["self_signing_key"]},
        {"master_key": master, "user_signing_key": {**keys["user_signing_key"], "signatures": {}}},
        {"master_key": 5},
    ]
    for body in bad:
        answer = await server.request("POST", "/keys/device_signing/upload", body, token=alice.token)
        assert answer.status == 400, body
    assert (await alice.query(alice.user_id))["master_keys"] == {}


async def test_everybody_sees_that_a_device_is_signed(server: TestServer) -> None:
    alice, bob = await pair(server)
    await cross_sign(alice)
    assert await sign(alice, {alice.user_id: {"PHONE": sign_device(alice)}}) == {}
    seen = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["PHONE"]
    assert seen["signatures"] == sign_device(alice)["signatures"]


async def test_a_device_signs_the_master_key(server: TestServer) -> None:
    alice, bob = await pair(server)
    await cross_sign(alice)
    master = cross_signing_keys(alice.user_id)["master_key"]
    (text,) = master["keys"].values()
    value = signed(master, alice.user_id, "PHONE", alice.key)
    assert await sign(alice, {alice.user_id: {text: value}}) == {}
    assert (await bob.query(alice.user_id))["master_keys"][alice.user_id]["signatures"] == value["signatures"]


async def test_only_who_made_it_sees_a_signature_of_somebody_else(server: TestServer) -> None:
    alice, bob = await pair(server)
    carol = await KeyDevice.register(server, "carol")
    for each in (alice, bob):
        await cross_sign(each)
    key_id, value = sign_user(alice.user_id, bob.user_id)
    assert await sign(alice, {bob.user_id: {key_id: value}}) == {}
    mine = (await alice.query(bob.user_id))["master_keys"][bob.user_id]
    assert mine["signatures"] == value["signatures"]
    for other in (bob, carol):
        assert "signatures" not in (await other.query(bob.user_id))["master_keys"][bob.user_id]
    await alice.login("TABLET")
    await cross_sign(alice, "new", proof_of(alice.user_id))
    assert "signatures" not in (await alice.query(bob.user_id))["master_keys"][bob.user_id]


async def test_wrong_signatures_are_told(server: TestServer) -> None:
    alice, bob = await pair(server)
    for each in (alice, bob):
        await cross_sign(each)
    good, (bob_key, bob_value) = sign_device(alice), sign_user(alice.user_id, bob.user_id)
    (own_key,) = cross_signing_keys(alice.user_id)["master_key"]["keys"].values()
    objects = {
        alice.user_id: {
            "NOTHING": good,
            "PHONE": {**good, "algorithms": []},
            own_key: cross_signing_keys(alice.user_id)["master_key"],
        },
        bob.user_id: {"x": bob_value, bob_key: {**bob_value, "signatures": {}}, "PHONE": 5},
        "@nobody:test": {"x": {}},
    }
    failures = await sign(alice, objects)
    codes = {(user, key): error["errcode"] for user, found in failures.items() for key, error in found.items()}
    assert codes == {
        (alice.user_id, "NOTHING"): "M_NOT_FOUND",
        (alice.user_id, "PHONE"): "M_INVALID_PARAM",
        (alice.user_id, own_key): "M_INVALID_SIGNATURE",
        (bob.user_id, "x"): "M_NOT_FOUND",
        (bob.user_id, bob_key): "M_INVALID_SIGNATURE",
        (bob.user_id, "PHONE"): "M_INVALID_PARAM",
        ("@nobody:test", "x"): "M_NOT_FOUND",
    }
    answer = await server.request("POST", "/keys/signatures/upload", {"@a:test": 5}, token=alice.token)
    assert answer.status == 400


async def test_other_keys_of_a_device_lose_its_signatures(server: TestServer) -> None:
    alice, bob = await pair(server)
    await cross_sign(alice)
    await sign(alice, {alice.user_id: {"PHONE": sign_device(alice)}})
    other = {**alice.device_keys, "algorithms": ["m.new"]}
    await alice.ok("POST", "/keys/upload", {"device_keys": other})
    seen = (await bob.query(alice.user_id))["device_keys"][alice.user_id]["PHONE"]
    assert seen == {**other, "unsigned": {}}
