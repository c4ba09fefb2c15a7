"""Devices across servers: what others are told of ours, what we keep of theirs and when it is fetched again."""

from typing import Any

import pytest

from synapse_like.federation.edus import EduReception
from synapse_like.federation.outbound import Backoffs, Sender
from tests.kit.encryption import KeyDevice, cross_signing_keys
from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, let_lag, member

BOB = "@bob:one"


async def alice_and_bob(server: TestServer) -> tuple[KeyDevice, str]:
    """Alice's phone, and a room that she shares with Bob of another server."""
    alice = await KeyDevice.register(server, "alice")
    room_id = await server.create_room(alice.token, preset="public_chat")
    await member(server, room_id, BOB)
    return alice, room_id


def bobs_keys(device_id: str = "TABLET", extra: str = "") -> dict[str, Any]:
    return {"user_id": BOB, "device_id": device_id, "algorithms": [], "keys": {"ed25519:x": "key" + extra}}


class BobsServer:
    """Answers for Bob's devices."""

    def __init__(self, remotes: Remotes) -> None:
        self.stream_id = 10
        self.devices = {"TABLET": bobs_keys()}
        self.fetched = 0
        remotes.answer = self.answer

    def answer(self, destination: str, path: str, given: Any) -> Any:
        if "/user/devices/" in path:
            self.fetched += 1
            devices = [{"device_id": name, "keys": keys} for name, keys in self.devices.items()]
            return {"user_id": BOB, "stream_id": self.stream_id, "devices": devices}
        if path.endswith("/keys/query"):
            return {"device_keys": dict.fromkeys(given["device_keys"], self.devices)}
        return {"one_time_keys": {BOB: {"TABLET": {"signed_curve25519:1": {"key": "k"}}, "OTHER": {"a": 1}}}}


async def told(server: TestServer, content: dict[str, Any], edu_type: str = "m.device_list_update") -> None:
    await server.homeserver.front(EduReception).receive("one", [{"edu_type": edu_type, "content": content}])
    await server.caught_up()


async def test_other_servers_hear_of_changed_devices(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    await remotes.quiet()
    await alice.upload()
    laptop = await alice.login("LAPTOP")
    await laptop.upload()
    await remotes.until(lambda: len(remotes.edus("one", "m.device_list_update")) == 2)
    await laptop.ok("POST", "/logout", {})
    await remotes.until(lambda: len(remotes.edus("one", "m.device_list_update")) == 3)
    first, second, third = remotes.edus("one", "m.device_list_update")
    assert first["user_id"] == alice.user_id and first["device_id"] == "PHONE"
    assert first["keys"] == alice.device_keys and "device_display_name" not in first
    assert second["prev_id"] == [first["stream_id"]] and third["prev_id"] == [second["stream_id"]]
    assert third["deleted"] is True and third["device_id"] == "LAPTOP" and "keys" not in third
    status, shown = await remotes.ask("one", "GET", f"/_matrix/federation/v1/user/devices/{alice.user_id}")
    assert status == 200 and shown["stream_id"] == third["stream_id"]
    assert shown["devices"] == [{"device_id": "PHONE", "keys": alice.device_keys}]


async def test_other_servers_hear_of_signing_keys(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    keys = cross_signing_keys(alice.user_id)
    await alice.ok("POST", "/keys/device_signing/upload", keys)
    await remotes.until(lambda: remotes.edus("one", "m.signing_key_update"))
    told = remotes.edus("one", "m.signing_key_update")[-1]
    assert told["user_id"] == alice.user_id and "user_signing_key" not in told
    assert told["master_key"]["keys"] == keys["master_key"]["keys"]
    _, shown = await remotes.ask("one", "GET", f"/_matrix/federation/v1/user/devices/{alice.user_id}")
    assert shown["self_signing_key"]["keys"] == keys["self_signing_key"]["keys"]


async def test_who_was_away_is_made_to_fetch_the_lists_that_have_changed(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    await remotes.quiet()
    remotes.dead.add("one")
    await alice.upload()
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    let_lag(sender, "one")
    laptop = await alice.login("LAPTOP")
    await laptop.upload()
    await remotes.quiet()
    remotes.dead.clear()
    server.homeserver.front(Backoffs).heard_from("one")
    await remotes.until(lambda: remotes.edus("one", "m.device_list_update"))
    await remotes.quiet()
    (update,) = remotes.edus("one", "m.device_list_update")
    assert update["user_id"] == alice.user_id and update["prev_id"] == [0]


async def test_a_server_met_in_a_room_hears_of_who_joins_it(server: TestServer, remotes: Remotes) -> None:
    def introductions() -> list[str]:
        """Without a device; updates of devices name one, and may come besides when a room is joined right after one."""
        return [edu["user_id"] for edu in remotes.edus("one", "m.device_list_update") if not edu["device_id"]]

    alice, room_id = await alice_and_bob(server)
    carol = await KeyDevice.register(server, "carol")
    await carol.upload()
    await server.join(carol.token, room_id)
    await remotes.until(introductions)
    assert introductions() == ["@carol:test"]
    other = await server.create_room(alice.token, preset="public_chat")
    await member(server, other, BOB)
    await server.join(carol.token, other)
    await remotes.quiet()
    assert introductions() == ["@carol:test"]


async def test_devices_of_those_who_share_a_room_are_kept_and_kept_current(
    server: TestServer, remotes: Remotes
) -> None:
    alice, _ = await alice_and_bob(server)
    bobs = BobsServer(remotes)
    for _ in range(3):
        found = await alice.query(BOB)
        assert found["device_keys"] == {BOB: {"TABLET": {**bobs_keys(), "unsigned": {}}}}
    assert bobs.fetched == 1
    since = (await alice.sync())["next_batch"]
    update = {"user_id": BOB, "device_id": "PC", "stream_id": 11, "prev_id": [10], "keys": bobs_keys("PC")}
    await told(server, {**update, "device_display_name": "Bob's PC"})
    assert (await alice.sync(since))["device_lists"]["changed"] == [BOB]
    found = (await alice.query(BOB))["device_keys"][BOB]
    assert found["PC"]["unsigned"] == {"device_display_name": "Bob's PC"} and len(found) == 2
    await told(server, {**update, "keys": bobs_keys("PC", "old")})
    assert (await alice.query(BOB))["device_keys"][BOB] == found, "what is known is not taken twice"
    await told(server, {"user_id": BOB, "device_id": "TABLET", "stream_id": 12, "prev_id": [11], "deleted": True})
    assert (await alice.query(BOB))["device_keys"][BOB].keys() == {"PC"}
    assert bobs.fetched == 1


async def test_a_gap_in_the_updates_makes_us_fetch_the_list(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    bobs = BobsServer(remotes)
    await alice.query(BOB)
    bobs.devices, bobs.stream_id = {"NEW": bobs_keys("NEW")}, 20
    since = (await alice.sync())["next_batch"]
    await told(server, {"user_id": BOB, "device_id": "NEW", "stream_id": 20, "prev_id": [19]})
    assert (await alice.sync(since))["device_lists"]["changed"] == [BOB]
    assert (await alice.query(BOB))["device_keys"][BOB].keys() == {"NEW"}
    await remotes.until(lambda: bobs.fetched >= 2)  # by itself, and maybe once more for the query
    await server.quiet()
    fetched = bobs.fetched
    await alice.query(BOB)
    assert bobs.fetched == fetched


async def test_a_server_that_is_away_is_a_failure_but_old_keys_are_shown(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    BobsServer(remotes)
    await alice.query(BOB)
    remotes.dead.add("one")
    await told(server, {"user_id": BOB, "device_id": "NEW", "stream_id": 20, "prev_id": [19]})
    found = await alice.query(BOB, "@eve:one")
    assert found["failures"].keys() == {"one"}
    assert found["device_keys"].keys() == {BOB}


async def test_changed_signing_keys_of_others_are_shown(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    BobsServer(remotes)
    await alice.query(BOB)
    key = {"user_id": BOB, "usage": ["master"], "keys": {"ed25519:m": "m"}}
    since = (await alice.sync())["next_batch"]
    await told(server, {"user_id": BOB, "master_key": key}, "m.signing_key_update")
    assert (await alice.sync(since))["device_lists"]["changed"] == [BOB]
    assert (await alice.query(BOB))["master_keys"] == {BOB: key}
    stranger = {"user_id": "@eve:one", "master_key": {**key, "user_id": "@eve:one"}}
    await told(server, stranger, "m.signing_key_update")
    assert "@eve:one" not in (await alice.query(BOB))["master_keys"]


async def test_devices_are_forgotten_with_the_last_shared_room(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    bobs = BobsServer(remotes)
    await alice.query(BOB)
    await member(server, room_id, BOB, "leave")
    database = server.homeserver.kit.database

    async def kept() -> int:
        return len(await database.read(lambda txn: txn.all("SELECT * FROM remote_device_lists")))

    for _ in range(200):
        if not await kept():
            break
        await server.homeserver.kit.clock.sleep(0.01)
    assert not await kept()
    await alice.query(BOB)
    assert not await kept() and bobs.fetched == 1, "asked without keeping"


async def test_one_time_keys_of_others_are_claimed(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    BobsServer(remotes)
    claims = {"one_time_keys": {BOB: {"TABLET": "signed_curve25519"}, "@x:two": {"A": "signed_curve25519"}}}
    remotes.dead.add("two")
    found = await alice.ok("POST", "/keys/claim", claims)
    assert found["one_time_keys"] == {BOB: {"TABLET": {"signed_curve25519:1": {"key": "k"}}}}
    assert found["failures"].keys() == {"two"}


async def test_other_servers_ask_for_keys_of_ours(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    await alice.upload(1)
    body: dict[str, Any] = {"device_keys": {alice.user_id: [], "@nobody:test": []}}
    status, found = await remotes.ask("one", "POST", "/_matrix/federation/v1/user/keys/query", body)
    assert status == 200 and found["device_keys"] == {alice.user_id: {"PHONE": alice.device_keys}}
    claims = {"one_time_keys": {alice.user_id: {"PHONE": "signed_curve25519"}}}
    given = []
    for _ in range(2):
        status, found = await remotes.ask("one", "POST", "/_matrix/federation/v1/user/keys/claim", claims)
        assert status == 200
        given += list(found["one_time_keys"].get(alice.user_id, {}).get("PHONE", {}))
    assert len(given) == 1


ODD_QUESTIONS: list[Any] = [
    {},
    {"device_keys": []},
    {"device_keys": {"x": []}},
    {"device_keys": {"@bob:one": []}},
    {"device_keys": {"@a:test": 1}},
    {"device_keys": {f"@a{number}:test": [] for number in range(1001)}},
]


@pytest.mark.parametrize("body", ODD_QUESTIONS)
async def test_odd_questions_get_errors(server: TestServer, remotes: Remotes, body: Any) -> None:
    status, answer = await remotes.ask("one", "POST", "/_matrix/federation/v1/user/keys/query", body)
    assert status == 400 and answer["errcode"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"devices": {}},
        {"stream_id": "x", "devices": []},
        {"stream_id": 1, "devices": [None, {}, {"device_id": 1}, {"device_id": "A", "keys": {"user_id": "@eve:one"}}]},
        {"stream_id": 1, "devices": [], "master_key": {"user_id": "@alice:test", "keys": {}}},
        {"device_keys": [], "master_keys": {"@bob:one": 1}},
    ],
)
async def test_odd_answers_of_other_servers_harm_nobody(server: TestServer, remotes: Remotes, document: Any) -> None:
    alice, _ = await alice_and_bob(server)
    remotes.answer = lambda *_: document
    found = await alice.query(BOB, "@eve:one", "@dan:two")
    assert not any(found["device_keys"].get(user_id) for user_id in (BOB, "@eve:one", "@dan:two"))
    assert found["master_keys"] == {}
    claimed = await alice.ok("POST", "/keys/claim", {"one_time_keys": {BOB: {"TABLET": "x"}}})
    assert claimed["one_time_keys"] == {}
