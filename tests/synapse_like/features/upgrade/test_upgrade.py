"""Replacing rooms: between all kinds of versions, what moves and what stays."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.kit.homeserver import TestServer
from tests.kit.room_features import house, member_of, state_of

__all__ = ["house"]


async def upgrade(house: TestServer, who: str, room_id: str, version: str, **body: Any) -> str:
    answer = await house.ok("POST", f"/rooms/{room_id}/upgrade", {"new_version": version, **body}, token=who)
    return str(answer["replacement_room"])


async def set_state(house: TestServer, room_id: str, kind: str, content: Any, key: str = "") -> None:
    await house.ok("PUT", f"/rooms/{room_id}/state/{kind}/{quote(key, safe='')}", content, token="alice")


async def test_everything_moves(house: TestServer) -> None:
    old_id = await house.create_room(
        "alice",
        room_version="11",
        visibility="public",
        room_alias_name="pub",
        name="Pub",
        topic="Beer",
        creation_content={"m.federate": False},
        power_level_content_override={"users": {"@alice:test": 100, "@bob:test": 50}},
    )
    for name in ("bob", "eve"):
        await house.join(name, old_id)
    await set_state(house, old_id, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    await set_state(house, old_id, "org.example", {"not": "copied"})
    await house.ok("POST", f"/rooms/{old_id}/ban", {"user_id": "@eve:test"}, token="alice")
    last = (await house.rooms.live.get(old_id)).head.extremities[0].event_id
    before = await state_of(house, old_id)
    new_id = await upgrade(house, "alice", old_id, "10")
    old, new = await state_of(house, old_id), await state_of(house, new_id)
    assert old["m.room.tombstone", ""]["replacement_room"] == new_id
    assert new["m.room.create", ""]["predecessor"] == {"room_id": old_id, "event_id": last}
    assert new["m.room.create", ""]["m.federate"] is False
    for kind in ("name", "topic", "join_rules", "history_visibility", "guest_access", "encryption", "canonical_alias"):
        assert new[f"m.room.{kind}", ""] == before[f"m.room.{kind}", ""]
    assert new["m.room.power_levels", ""] == before["m.room.power_levels", ""]
    assert ("org.example", "") not in new
    assert old["m.room.canonical_alias", ""] == {}
    assert old["m.room.power_levels", ""]["events_default"] == 50
    assert (await house.ok("GET", "/directory/room/" + quote("#pub:test")))["room_id"] == new_id
    listed = await house.ok("GET", "/publicRooms", token="bob")
    assert [room["room_id"] for room in listed["chunk"]] == [new_id]
    assert await member_of(house, new_id, "eve") == "ban"
    assert (await house.request("POST", f"/join/{quote(new_id)}", {}, token="eve")).status == 403
    await house.join("bob", new_id)
    content = {"msgtype": "m.text", "body": "still here?"}
    assert (await house.request("PUT", f"/rooms/{old_id}/send/m.room.message/1", content, token="eve")).status == 403


@pytest.mark.parametrize("old", ["1", "6", "9", "11", "12"])
@pytest.mark.parametrize("new", ["1", "8", "12"])
async def test_between_versions(house: TestServer, old: str, new: str) -> None:
    state = [{"type": "m.room.join_rules", "content": {"join_rule": "public"}}]
    old_id = await house.create_room("alice", room_version=old, initial_state=state, name="x")
    new_id = await upgrade(house, "alice", old_id, new)
    found = await state_of(house, new_id)
    levels = found["m.room.power_levels", ""]
    assert found["m.room.create", ""]["room_version"] == new
    assert levels["users"] == ({} if new == "12" else {"@alice:test": 100})
    assert levels["events"]["m.room.tombstone"] == (150 if new == "12" or old == "12" else 100)
    # The new room works: its maker has all power.
    await set_state(house, new_id, "m.room.name", {"name": "y"})


async def test_creators_of_version_12(house: TestServer) -> None:
    old_id = await house.create_room("alice", room_version="11", invite=["@bob:test"], preset="trusted_private_chat")
    new_id = await upgrade(house, "alice", old_id, "12", additional_creators=["@bob:test", "@alice:test", "@bob:test"])
    found = await state_of(house, new_id)
    assert found["m.room.create", ""]["additional_creators"] == ["@bob:test"]
    assert found["m.room.create", ""]["predecessor"] == {"room_id": old_id}
    assert found["m.room.power_levels", ""]["users"] == {}


async def test_a_moderator_moves_a_room_and_stays_a_moderator(house: TestServer) -> None:
    levels = {
        "users": {"@alice:test": 100, "@bob:test": 50},
        "events": {"m.room.tombstone": 50, "m.room.name": 100},
    }
    old_id = await house.create_room(
        "alice", room_version="10", preset="public_chat", name="x", power_level_content_override=levels
    )
    await house.join("bob", old_id)
    new_id = await upgrade(house, "bob", old_id, "11")
    found = await state_of(house, new_id)
    assert found["m.room.name", ""] == {"name": "x"}
    assert found["m.room.power_levels", ""]["users"] == {"@alice:test": 100, "@bob:test": 50}
    assert (await house.rooms.live.get(new_id)).power_levels.of("@bob:test") == 50


async def test_spaces_keep_their_children(house: TestServer) -> None:
    old_id = await house.create_room("alice", creation_content={"type": "m.space"})
    await set_state(house, old_id, "m.space.child", {"via": ["test"]}, "!child:test")
    await set_state(house, old_id, "m.space.child", {}, "!removed:test")
    found = await state_of(house, await upgrade(house, "alice", old_id, "12"))
    assert found["m.room.create", ""]["type"] == "m.space"
    assert [key for kind, key in found if kind == "m.space.child"] == ["!child:test"]


async def test_join_rules_that_the_new_version_does_not_know(house: TestServer) -> None:
    rules = {"join_rule": "restricted", "allow": []}
    old_id = await house.create_room("alice", initial_state=[{"type": "m.room.join_rules", "content": rules}])
    found = await state_of(house, await upgrade(house, "alice", old_id, "7"))
    assert found["m.room.join_rules", ""] == {"join_rule": "invite"}


async def test_refusals(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat")
    await house.join("bob", room_id)

    async def refused(who: str, room: str, **body: Any) -> tuple[int, str]:
        answer = await house.request("POST", f"/rooms/{room}/upgrade", body, token=who)
        return answer.status, answer.body["errcode"]

    assert await refused("bob", room_id, new_version="12") == (403, "M_FORBIDDEN")
    assert await refused("eve", room_id, new_version="12") == (403, "M_FORBIDDEN")
    assert await refused("alice", room_id, new_version="99") == (400, "M_UNSUPPORTED_ROOM_VERSION")
    assert await refused("alice", room_id) == (400, "M_BAD_JSON")
    assert await refused("alice", "!unknown:test", new_version="12") == (404, "M_NOT_FOUND")
    assert await refused("alice", room_id, new_version="12", additional_creators=["x"]) == (400, "M_INVALID_PARAM")
    assert ("m.room.tombstone", "") not in await state_of(house, room_id)
