"""Live rooms are bounded by what they weigh; those that nobody is in are not kept."""

from typing import Final

import pytest

from tests.kit.homeserver import TestServer
from tests.kit.room_features import house

__all__ = ["house"]

LIMIT_BYTES: Final = 150_000


async def test_rooms_go_when_there_are_too_many_and_come_back_when_asked_for(
    house: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_like.rooms.live_rooms._KEPT_BYTES", LIMIT_BYTES)
    rooms = [await house.create_room("alice", name=f"room {number}") for number in range(12)]
    live = house.rooms.live
    assert 0 < len(live) < 8 and len(live) <= live.limit
    assert live.peek(rooms[-1]) and not live.peek(rooms[0])
    for room_id in rooms:
        await house.send("alice", room_id, transaction="again")
    assert len(live) < 8 and live.peek(rooms[-1]) and not live.peek(rooms[0])


async def test_rooms_that_grow_while_they_are_here_are_weighed_again(
    house: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_like.rooms.live_rooms._WEIGHED_EVERY", 2)
    old, *others = [await house.create_room("alice") for _ in range(3)]
    live = house.rooms.live
    room = await live.get(old)
    monkeypatch.setattr("synapse_like.rooms.live_rooms._KEPT_BYTES", LIMIT_BYTES)
    for number in range(LIMIT_BYTES // 2000):
        await house.ok("PUT", f"/rooms/{old}/state/test.kind/{number}", {}, token="alice")
    for each in others:
        await live.get(each)
    for _ in range(4):
        await house.create_room("alice")
    assert room.is_dropped and live.peek(old) is not room


async def test_of_rooms_that_everybody_has_left_only_the_last_is_kept(house: TestServer) -> None:
    rooms = [await house.create_room("alice", preset="public_chat") for _ in range(3)]
    for room_id in rooms:
        await house.join("bob", room_id)
    for room_id in rooms:
        for name in ("alice", "bob"):
            assert house.rooms.live.peek(room_id) is not None
            await house.ok("POST", f"/rooms/{room_id}/leave", {}, token=name)
            await house.ok("POST", f"/rooms/{room_id}/forget", {}, token=name)
    assert [room_id for room_id in rooms if house.rooms.live.peek(room_id)] == [rooms[-1]]
    for room_id in rooms:
        path = f"/rooms/{room_id}/send/m.room.message/{room_id[1:5]}"
        assert (await house.request("PUT", path, {"body": ""}, token="bob")).status == 403
    assert len(house.rooms.live) <= 1
