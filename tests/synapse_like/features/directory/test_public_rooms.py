"""The published room directory: what is in it, searching and paging."""

from typing import Any

import pytest

from tests.kit.homeserver import TestServer
from tests.kit.room_features import house

__all__ = ["house"]


async def publish(house: TestServer, name: str, members: int = 1, **options: Any) -> str:
    room_id = await house.create_room("alice", visibility="public", name=name, **options)
    for number in range(members - 1):
        await house.join(f"user{number}", room_id)
    return room_id


async def search(house: TestServer, **body: Any) -> list[str]:
    answer = await house.ok("POST", "/publicRooms", body, token="bob")
    return [room["room_id"] for room in answer["chunk"]]


async def test_an_entry(house: TestServer) -> None:
    room_id = await publish(
        house,
        "Pub",
        2,
        topic="Beer",
        room_alias_name="pub",
        creation_content={"type": "m.space"},
        initial_state=[
            {"type": "m.room.avatar", "content": {"url": "mxc://a/b"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}},
        ],
    )
    answer = await house.ok("GET", "/publicRooms", token="bob")
    assert answer["total_room_count_estimate"] == 1
    assert answer["chunk"] == [
        {
            "room_id": room_id,
            "num_joined_members": 2,
            "world_readable": True,
            "guest_can_join": False,
            "join_rule": "public",
            "name": "Pub",
            "topic": "Beer",
            "canonical_alias": "#pub:test",
            "avatar_url": "mxc://a/b",
            "room_type": "m.space",
        }
    ]


async def test_entries_follow_the_state(house: TestServer) -> None:
    room_id = await publish(house, "Old", topic="t")
    name = f"/rooms/{room_id}/state/m.room.name"
    event_id = (await house.ok("PUT", name, {"name": "New"}, token="alice"))["event_id"]
    entry = (await house.ok("GET", "/publicRooms", token="bob"))["chunk"][0]
    assert (entry["name"], entry["topic"]) == ("New", "t")
    await house.ok("PUT", f"/rooms/{room_id}/redact/{event_id}/1", {}, token="alice")
    entry = (await house.ok("GET", "/publicRooms", token="bob"))["chunk"][0]
    assert ("name" in entry, entry["topic"]) == (False, "t")
    await house.ok("PUT", f"/rooms/{room_id}/state/m.room.join_rules", {"join_rule": "invite"}, token="alice")
    assert await search(house) == []


async def test_rooms_leave_the_directory(house: TestServer) -> None:
    room_id = await publish(house, "One")
    path = f"/directory/list/room/{room_id}"
    assert (await house.request("PUT", path, {"visibility": "private"}, token="bob")).status == 403
    await house.ok("PUT", path, {"visibility": "private"}, token="alice")
    assert await house.ok("GET", path) == {"visibility": "private"}
    assert await search(house) == []
    await house.ok("PUT", path, {}, token="alice")
    assert await search(house) == [room_id]
    await house.ok("POST", f"/rooms/{room_id}/leave", {}, token="alice")
    assert await search(house) == []
    assert (await house.request("GET", "/directory/list/room/!unknown:test")).status == 404
    assert (await house.request("PUT", "/directory/list/room/!unknown:test", {}, token="bob")).status == 404


async def test_searching(house: TestServer) -> None:
    pub = await publish(house, "Grüner BAUM", topic="100% beer", room_alias_name="tree")
    space = await publish(house, "Space", creation_content={"type": "m.space"})

    async def found(term: str) -> list[str]:
        return await search(house, filter={"generic_search_term": term})

    assert await found("GRÜNER baum") == [pub]
    assert await found("100%") == [pub]
    assert await found("0_ b") == []
    assert await found("#TREE") == [pub]
    assert await found("nothing") == []
    assert set(await search(house, filter={})) == {pub, space}
    assert await search(house, filter={"room_types": ["m.space"]}) == [space]
    assert await search(house, filter={"room_types": [None]}) == [pub]
    assert await search(house, filter={"room_types": []}) == []


async def test_paging_both_ways(house: TestServer) -> None:
    rooms = [await publish(house, f"Room {number}", members) for number, members in enumerate([2, 1, 3, 1, 2])]
    everything = await search(house)
    assert sorted(everything) == sorted(rooms)
    assert everything[0] == rooms[2]
    assert set(everything[1:3]) == {rooms[0], rooms[4]}
    pages, since, last = [], None, {}
    while True:
        body = {"limit": 2, **({"since": since} if since else {})}
        last = await house.ok("POST", "/publicRooms", body, token="bob")
        pages += [room["room_id"] for room in last["chunk"]]
        since = last.get("next_batch")
        if since is None:
            break
    assert pages == everything
    back = await house.ok("POST", "/publicRooms", {"limit": 2, "since": last["prev_batch"]}, token="bob")
    assert [room["room_id"] for room in back["chunk"]] == everything[2:4]
    first = await house.ok("POST", "/publicRooms", {"limit": 2, "since": back["prev_batch"]}, token="bob")
    assert [room["room_id"] for room in first["chunk"]] == everything[:2]
    assert "prev_batch" not in first
    again = await house.ok("GET", "/publicRooms", token="bob", query={"limit": 2, "since": first["next_batch"]})
    assert [room["room_id"] for room in again["chunk"]] == everything[2:4]


async def test_the_same_queries_however_many_rooms(house: TestServer) -> None:
    await publish(house, "One")
    await house.quiet()
    house.queries.clear()
    await search(house)
    few = len(house.queries)
    for number in range(5):
        await publish(house, f"Room {number}")
    await house.quiet()
    house.queries.clear()
    assert len(await search(house)) == 6
    assert len(house.queries) == few


@pytest.mark.parametrize("since", ["nonsense", "AAAA", "%", "bjE", "ä"])
async def test_bad_tokens(house: TestServer, since: str) -> None:
    answer = await house.request("POST", "/publicRooms", {"since": since}, token="bob")
    assert (answer.status, answer.body["errcode"]) == (400, "M_INVALID_PARAM")


async def test_without_login(house: TestServer) -> None:
    answer = await house.request("GET", "/publicRooms")
    assert (answer.status, answer.body["errcode"]) == (401, "M_MISSING_TOKEN")
    answer = await house.request("GET", "/publicRooms", query={"server": "elsewhere"})
    assert (answer.status, answer.body["errcode"]) == (401, "M_MISSING_TOKEN")
    assert (await house.request("GET", "/publicRooms", token="bob", query={"server": "test"})).status == 200


@pytest.mark.config(allow_public_rooms_without_auth=True, enable_room_list_search=False)
async def test_switches(house: TestServer) -> None:
    await publish(house, "One")
    assert (await house.ok("GET", "/publicRooms"))["chunk"] == []
