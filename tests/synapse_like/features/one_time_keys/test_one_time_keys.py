"""One-time keys: uploaded, counted, given out once, and what happens when there are none left."""

from typing import Any

from synapse_like.toolkit.together import together
from tests.kit.encryption import ALGORITHM, KeyDevice
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]


def only_id(keys: Any) -> str:
    (key_id,) = keys
    return str(key_id)


async def test_keys_are_counted(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    assert await alice.upload() == {ALGORITHM: 0}
    assert await alice.upload(3) == {ALGORITHM: 3}
    assert await alice.upload(2) == {ALGORITHM: 5}
    assert await alice.upload() == {ALGORITHM: 5}


async def test_keys_are_given_out_in_the_order_of_uploads(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.ok("POST", "/keys/upload", {"one_time_keys": alice.one_time_keys(["zz"])})
    await alice.ok("POST", "/keys/upload", {"one_time_keys": alice.one_time_keys(["bb", "aa"])})
    taken = [only_id(await bob.claim(alice.user_id, "PHONE")) for _ in range(3)]
    assert taken[0] == f"{ALGORITHM}:zz"
    assert sorted(taken[1:]) == [f"{ALGORITHM}:aa", f"{ALGORITHM}:bb"]
    assert await bob.claim(alice.user_id, "PHONE") is None
    assert await alice.upload() == {ALGORITHM: 0}


async def test_what_was_uploaded_is_what_is_given_out(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.upload(1)
    assert await bob.claim(alice.user_id, "PHONE") == alice.one_time_keys(["k0000"])


async def test_an_id_is_not_used_for_another_key(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    await alice.upload(2)
    same = {"one_time_keys": alice.one_time_keys(["k0000"])}
    assert (await alice.ok("POST", "/keys/upload", same))["one_time_key_counts"] == {ALGORITHM: 2}
    other = {"one_time_keys": {f"{ALGORITHM}:k0000": {"key": "other"}, f"{ALGORITHM}:new": {"key": "new"}}}
    answer = await server.request("POST", "/keys/upload", other, token=alice.token)
    assert (answer.status, answer.body["errcode"]) == (400, "M_INVALID_PARAM")
    assert await alice.upload() == {ALGORITHM: 2}


async def test_the_fallback_key_comes_when_the_others_are_gone(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.upload(1, fallback="spare")
    first = await alice.sync()
    assert first["device_one_time_keys_count"] == {ALGORITHM: 1}
    assert first["device_unused_fallback_key_types"] == [ALGORITHM]
    assert only_id(await bob.claim(alice.user_id, "PHONE")) == f"{ALGORITHM}:k0000"
    second = await alice.sync(first["next_batch"])
    assert second["device_one_time_keys_count"] == {ALGORITHM: 0}
    assert second["device_unused_fallback_key_types"] == [ALGORITHM]
    for _ in range(2):
        keys = await bob.claim(alice.user_id, "PHONE")
        assert only_id(keys) == f"{ALGORITHM}:spare"
        assert keys is not None
        assert keys[f"{ALGORITHM}:spare"]["fallback"] is True
    third = await alice.sync(second["next_batch"])
    assert third["device_unused_fallback_key_types"] == []
    await alice.upload(fallback="spare")
    assert (await alice.sync(third["next_batch"]))["device_unused_fallback_key_types"] == []
    await alice.upload(fallback="fresh")
    assert (await alice.sync(third["next_batch"]))["device_unused_fallback_key_types"] == [ALGORITHM]
    assert only_id(await bob.claim(alice.user_id, "PHONE")) == f"{ALGORITHM}:fresh"


async def test_who_asks_in_vain_changes_nothing(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    other = await alice.login("LAPTOP")
    await alice.upload(1)
    await other.upload(0, fallback="spare")
    since, other_since = (await alice.sync())["next_batch"], (await other.sync())["next_batch"]
    for _ in range(2):
        await bob.claim(alice.user_id, "PHONE")
        await bob.claim(alice.user_id, "LAPTOP")
    stored = "SELECT number, counts, unused FROM one_time_key_counts ORDER BY number"
    database = server.homeserver.kit.database
    before = await database.read(lambda txn: txn.all(stored))
    assert await bob.claim(alice.user_id, "PHONE") is None
    assert only_id(await bob.claim(alice.user_id, "LAPTOP")) == f"{ALGORITHM}:spare"
    assert await database.read(lambda txn: txn.all(stored)) == before
    for device, place in ((alice, since), (other, other_since)):
        response = await device.sync(place)
        assert response["device_one_time_keys_count"] == {ALGORITHM: 0}
        assert response["device_unused_fallback_key_types"] == []


async def test_a_claim_ends_the_long_poll_of_the_device_alone(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    other = await alice.login("LAPTOP")
    await alice.upload(1)
    since, other_since = (await alice.sync())["next_batch"], (await other.sync())["next_batch"]

    syncs = [alice.sync(since, timeout=10000), other.sync(other_since, timeout=300)]
    woken, idle, _ = await together([*syncs, bob.claim(alice.user_id, "PHONE")])
    assert woken is not None
    assert idle is not None
    assert woken["device_one_time_keys_count"] == {ALGORITHM: 0}
    assert idle.keys() == {"next_batch", "device_one_time_keys_count", "device_unused_fallback_key_types"}


async def test_two_hundred_claims_at_once_get_two_hundred_keys(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.upload(200, fallback="spare")
    claims = await together([bob.claim(alice.user_id, "PHONE") for _ in range(210)])
    ids = [only_id(keys) for keys in claims]
    assert ids.count(f"{ALGORITHM}:spare") == 10
    assert len(set(ids)) == 201


async def test_claims_of_many_devices_are_few_statements(server: TestServer) -> None:
    bob = await KeyDevice.register(server, "bob")
    counts = []
    for amount in (2, 8):
        people = [await KeyDevice.register(server, f"user{amount}x{index}") for index in range(amount)]
        for person in people:
            await person.upload(3)
        body = {"one_time_keys": {person.user_id: {"PHONE": ALGORITHM} for person in people}}
        await bob.ok("POST", "/keys/claim", body)
        await server.quiet()
        server.queries.clear()
        found = await bob.ok("POST", "/keys/claim", body)
        assert len(found["one_time_keys"]) == amount
        counts.append(len(server.queries))
    assert counts[0] == counts[1] <= 6, server.queries


async def test_keys_end_with_their_device(server: TestServer) -> None:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    other = await alice.login("LAPTOP")
    await other.upload(5, fallback="spare")
    await other.sync()
    await other.ok("POST", "/logout", {})
    assert await bob.claim(alice.user_id, "LAPTOP") is None
    again = await alice.login("LAPTOP")
    first = await again.sync()
    assert first["device_one_time_keys_count"] == {ALGORITHM: 0}
    assert first["device_unused_fallback_key_types"] == []
    second = await again.sync(first["next_batch"])
    assert second["device_one_time_keys_count"] == {ALGORITHM: 0}


async def test_bad_keys_are_refused(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    bad: list[dict[str, Any]] = [
        {"one_time_keys": {"nocolon": "x"}},
        {"one_time_keys": {":x": "x"}},
        {"one_time_keys": {"a:": "x"}},
        {"one_time_keys": {"a:b": 5}},
        {"one_time_keys": {"a:\0": "x"}},
        {"one_time_keys": {"a:b": "x" * 9000}},
        {"one_time_keys": {f"a:{index}": "x" for index in range(501)}},
        {"fallback_keys": {"a:b": "x", "a:c": "x"}},
        {"one_time_keys": []},
        {"one_time_keys": {f"a:{'b' * 300}": "x"}},
    ]
    for body in bad:
        answer = await server.request("POST", "/keys/upload", body, token=alice.token)
        assert 400 <= answer.status < 500, body
    assert await alice.upload() == {ALGORITHM: 0}


async def test_who_is_not_there_has_no_keys(server: TestServer) -> None:
    bob = await KeyDevice.register(server, "bob")
    assert await bob.claim("@nobody:test", "PHONE") is None
    assert await bob.claim(bob.user_id, "NOTHING") is None
    body = {"one_time_keys": {"@far:elsewhere.example": {"X": ALGORITHM}}}
    answer = await bob.ok("POST", "/keys/claim", body)
    assert answer["one_time_keys"] == {}
    assert answer["failures"].keys() == {"elsewhere.example"}
    answer = await server.request("POST", "/keys/claim", {"one_time_keys": {"x": {"X": "y"}}}, token=bob.token)
    assert answer.status == 400
