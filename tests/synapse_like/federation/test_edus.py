"""EDUs of rooms, out and in: typing, receipts, presence; and EDUs that no good server sends."""

import json
from typing import Any

import pytest

from synapse_like.federation.edus import EduReception
from synapse_like.rooms.front import Draft
from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, member, remote_event

BOB = "@bob:one"


async def alice_and_bob(server: TestServer) -> tuple[str, str]:
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    await member(server, room_id, BOB)
    return alice, room_id


async def receive(server: TestServer, edu_type: str, content, origin: str = "one") -> None:
    """Take in one EDU."""
    edus: EduReception = server.homeserver.front(EduReception)
    await edus.receive(origin, [{"edu_type": edu_type, "content": content}])
    await server.caught_up()
    await server.homeserver.kit.clock.sleep(0)


def ephemeral(answer, room_id: str, kind: str):
    """The content of an ephemeral event in a room of a sync."""
    room = answer.get("rooms", {}).get("join", {}).get(room_id, {})
    contents = [event["content"] for event in room.get("ephemeral", {}).get("events", []) if event["type"] == kind]
    return contents[-1] if contents else None


async def test_typing_goes_out(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    path = f"/rooms/{room_id}/typing/@alice:test"
    await server.ok("PUT", path, {"typing": True, "timeout": 20000}, token=alice)
    await remotes.until(lambda: remotes.edus("one", "m.typing"))
    await server.ok("PUT", path, {"typing": False}, token=alice)
    await remotes.until(lambda: len(remotes.edus("one", "m.typing")) == 2)
    about = {"room_id": room_id, "user_id": "@alice:test"}
    assert remotes.edus("one", "m.typing") == [{**about, "typing": True}, {**about, "typing": False}]


async def test_typing_comes_in_and_is_not_sent_back(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    since = (await server.sync(alice))["next_batch"]
    await receive(server, "m.typing", {"room_id": room_id, "user_id": BOB, "typing": True})
    answer = await server.sync(alice, since)
    assert ephemeral(answer, room_id, "m.typing") == {"user_ids": [BOB]}
    await receive(server, "m.typing", {"room_id": room_id, "user_id": BOB, "typing": False})
    assert ephemeral(await server.sync(alice, answer["next_batch"]), room_id, "m.typing") == {"user_ids": []}
    await remotes.quiet()
    assert not remotes.edus("one", "m.typing")


async def test_receipts_go_out_together_but_private_ones_stay(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    event_id = await server.send(alice, room_id, "read this")
    thread = await server.send(alice, room_id, "and this")
    await remotes.quiet()
    remotes.hold("one")
    await server.send(alice, room_id, "something under way")
    await server.caught_up()
    private, public = (f"/rooms/{room_id}/receipt/m.read{kind}" for kind in (".private", ""))
    await server.ok("POST", f"{private}/{event_id}", {}, token=alice)
    await server.ok("POST", f"{public}/{event_id}", {}, token=alice)
    await server.ok("POST", f"{public}/{thread}", {"thread_id": "main"}, token=alice)
    await server.caught_up()
    remotes.release("one")
    await remotes.until(lambda: len(remotes.edus("one", "m.receipt")) == 2)
    first, second = (edu[room_id]["m.read"]["@alice:test"] for edu in remotes.edus("one", "m.receipt"))
    assert first["event_ids"] == [event_id] and "thread_id" not in first["data"]
    assert second["event_ids"] == [thread] and second["data"]["thread_id"] == "main"
    edus = [edu for _, body in remotes.transactions["one"] for edu in body.get("edus", [])]
    assert len(edus) == 2 and "private" not in json.dumps(edus)


async def test_receipts_come_in_and_never_go_back(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    older, newer = [await server.send(alice, room_id, text) for text in ("older", "newer")]
    since = (await server.sync(alice))["next_batch"]

    def content(event_id: str, user_id: str = BOB) -> dict[str, Any]:
        return {room_id: {"m.read": {user_id: {"event_ids": [event_id], "data": {"ts": 1234}}}}}

    await receive(server, "m.receipt", content(newer))
    answer = await server.sync(alice, since)
    assert ephemeral(answer, room_id, "m.receipt") == {newer: {"m.read": {BOB: {"ts": 1234}}}}
    await receive(server, "m.receipt", content(older))
    await receive(server, "m.receipt", content(newer, "@alice:test"))
    await receive(server, "m.receipt", content(newer, "@carol:one"))
    assert ephemeral(await server.sync(alice, answer["next_batch"]), room_id, "m.receipt") is None


async def test_a_receipt_that_overtakes_its_event_waits_for_it(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    first = await remote_event(server.rooms, room_id, Draft(type="m.room.message", sender=BOB, content={"body": "1"}))
    since = (await server.sync(alice))["next_batch"]
    lost = {room_id: {"m.read": {BOB: {"event_ids": ["$never"], "data": {"ts": 1, "thread_id": "main"}}}}}
    await receive(server, "m.receipt", lost)
    early = {room_id: {"m.read": {BOB: {"event_ids": [first.event_id], "data": {"ts": 5}}}}}
    await receive(server, "m.receipt", early)
    assert ephemeral(await server.sync(alice, since), room_id, "m.receipt") is None
    await server.rooms.reception.receive(room_id, [first])
    await server.caught_up()
    await server.quiet()
    await server.caught_up()
    expected = {first.event_id: {"m.read": {BOB: {"ts": 5}}}}
    assert ephemeral(await server.sync(alice, since), room_id, "m.receipt") == expected


async def test_a_server_that_comes_into_a_room_hears_who_is_there(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    carol = await server.register("carol")
    await server.join(carol, room_id)
    for name, token, presence in (("alice", alice, "online"), ("carol", carol, "offline")):
        path = f"/presence/@{name}:test/status"
        await server.ok("PUT", path, {"presence": presence, "status_msg": name}, token=token)
    await remotes.quiet()
    await member(server, room_id, "@dan:two")
    await remotes.until(lambda: remotes.edus("two", "m.presence"))
    pushed = [each for edu in remotes.edus("two", "m.presence") for each in edu["push"]]
    assert [(each["user_id"], each["presence"], each["status_msg"]) for each in pushed] == [
        ("@alice:test", "online", "alice")
    ]
    heard = len(remotes.edus("one", "m.presence"))
    await remotes.quiet()
    assert len(remotes.edus("one", "m.presence")) == heard


async def test_presence_goes_out_and_comes_in(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    await server.ok("PUT", "/presence/@alice:test/status", {"presence": "online", "status_msg": "here"}, token=alice)
    await remotes.until(lambda: remotes.edus("one", "m.presence"))
    (pushed,) = remotes.edus("one", "m.presence")[0]["push"]
    assert (pushed["user_id"], pushed["presence"], pushed["status_msg"]) == ("@alice:test", "online", "here")
    since = (await server.sync(alice))["next_batch"]
    about = {"user_id": BOB, "presence": "unavailable", "last_active_ago": 5000, "status_msg": "away"}
    await receive(server, "m.presence", {"push": [about, {"user_id": "@alice:test", "presence": "offline"}]})
    events = (await server.sync(alice, since))["presence"]["events"]
    assert [(event["sender"], event["content"]["presence"]) for event in events] == [(BOB, "unavailable")]
    shown = await server.ok("GET", f"/presence/{BOB}/status", token=alice)
    assert (shown["presence"], shown["status_msg"]) == ("unavailable", "away")


@pytest.mark.config(presence={"enabled": False})
async def test_presence_that_is_off_neither_goes_out_nor_comes_in(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_and_bob(server)
    await server.ok("PUT", "/presence/@alice:test/status", {"presence": "online"}, token=alice)
    await receive(server, "m.presence", {"push": [{"user_id": BOB, "presence": "online"}]})
    await remotes.quiet()
    assert not remotes.edus("one")


async def test_a_room_acl_holds_for_edus(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    event_id = await server.send(alice, room_id)
    acl = {"allow": ["*"], "deny": ["one"]}
    await server.ok("PUT", f"/rooms/{room_id}/state/m.room.server_acl", acl, token=alice)
    since = (await server.sync(alice))["next_batch"]
    await receive(server, "m.typing", {"room_id": room_id, "user_id": BOB, "typing": True})
    receipt = {"event_ids": [event_id], "data": {"ts": 1}}
    await receive(server, "m.receipt", {room_id: {"m.read": {BOB: receipt}}})
    assert not (await server.sync(alice, since)).get("rooms")


CONTENTS: list[Any] = [
    {},
    {"room_id": 1, "user_id": 2, "typing": 3},
    {"room_id": "!x\0", "user_id": "@bob:one", "typing": True},
    {"room_id": "!" + "x" * 10_000, "user_id": "@bob:one", "typing": True},
    {"room_id": "!unknown:one", "user_id": "@bob:one", "typing": True},
    {"room_id": "\ud800", "user_id": "@bob\ud800:one", "typing": True},
    {"!x": None, "!y": {"m.read": []}, "!z": {"m.read": {"@bob:one": None, "x": {}, "@b:one": {"data": 1}}}},
    {"!z": {"m.read": {"@bob:one": {"event_ids": [], "data": {}}}}},
    {"!z": {"m.read": {"@bob:one": {"event_ids": [{}], "data": {"ts": 2**70}}}}},
    {"\0": {"m.read": {"@bob:one": {"event_ids": ["$x"], "data": {"ts": 1}}}}},
    {"push": None},
    {"push": [None, {}, {"presence": {}}, {"user_id": 1, "presence": "online"}]},
    {"push": [{"user_id": BOB, "presence": "online", "last_active_ago": 2**80, "status_msg": "\0"}]},
    {"sender": 1, "type": [], "message_id": {}, "messages": 7},
    {"sender": BOB, "type": "m.x", "message_id": "1", "messages": {"@alice:test": {"*": 1}, "x": 5}},
    {"user_id": BOB, "device_id": 1, "stream_id": "x", "prev_id": {}},
    {"user_id": BOB, "device_id": "D" * 10_000, "stream_id": 2**80, "prev_id": ["x"], "deleted": 7},
]
HOSTILE: list[Any] = [
    None,
    17,
    [],
    {},
    {"edu_type": "m.typing"},
    {"edu_type": ["m.typing"], "content": {}},
    {"edu_type": "m.typing", "content": []},
    *(
        {"edu_type": edu_type, "content": content}
        for edu_type in ("m.typing", "m.receipt", "m.presence", "m.direct_to_device", "m.device_list_update")
        for content in CONTENTS
    ),
]


async def test_hostile_edus_change_nothing_and_harm_nobody(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    since = (await server.sync(alice))["next_batch"]
    edus: EduReception = server.homeserver.front(EduReception)
    for edu in HOSTILE:
        await edus.receive("one", [edu])
    good = {"edu_type": "m.typing", "content": {"room_id": room_id, "user_id": BOB, "typing": True}}
    await edus.receive("one", [*HOSTILE[:50], good])
    await server.caught_up()
    await server.homeserver.kit.clock.sleep(0)
    answer = await server.sync(alice, since)
    assert ephemeral(answer, room_id, "m.typing") == {"user_ids": [BOB]}


async def test_ten_thousand_edus_at_once_are_cut_short(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_and_bob(server)
    since = (await server.sync(alice))["next_batch"]
    await server.homeserver.front(EduReception).receive(
        "one",
        [
            {"edu_type": "m.typing", "content": {"room_id": room_id, "user_id": BOB, "typing": at >= 5_000}}
            for at in range(10_000)
        ],
    )
    await server.caught_up()
    await server.homeserver.kit.clock.sleep(0)
    assert ephemeral(await server.sync(alice, since), room_id, "m.typing") is None
