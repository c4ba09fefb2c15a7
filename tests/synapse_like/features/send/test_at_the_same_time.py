"""Requests that arrive together: nothing happens twice, and one of two rivals wins."""

from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults

from tests.kit.homeserver import Answer, TestServer
from tests.kit.room_features import house, member_of

__all__ = ["house"]


async def together(house: TestServer, *requests: tuple[str, str, Any, str]) -> list[Answer]:
    """The answers to (method, path, body, token), all sent at once."""
    sent = [house.request(method, path, body, token=token) for method, path, body, token in requests]
    return list(await gatherResults([ensureDeferred(each) for each in sent]))


async def test_one_transaction_is_one_event(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    before = (await house.rooms.live.get(room_id)).head.depth
    request = ("PUT", f"/rooms/{room_id}/send/m.room.message/t", {"msgtype": "m.text", "body": "x"}, "alice")
    answers = await together(house, *[request] * 5)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["event_id"] for answer in answers}) == 1
    assert (await house.rooms.live.get(room_id)).head.depth == before + 1


async def test_one_reaction_wins(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    target = await house.send("alice", room_id)
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": "x"}}
    answers = await together(
        house,
        *[("PUT", f"/rooms/{room_id}/send/m.reaction/t{number // 2}", content, "alice") for number in range(6)],
    )
    assert sorted(answer.status for answer in answers) == [200, 200, 400, 400, 400, 400]
    assert len({answer.body["event_id"] for answer in answers if answer.status == 200}) == 1


async def test_one_alias_is_one_room(house: TestServer) -> None:
    answers = await together(house, *[("POST", "/createRoom", {"room_alias_name": "one"}, "alice")] * 4)
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]


async def test_joining_many_times_is_one_event(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat")
    before = (await house.rooms.live.get(room_id)).head.depth
    answers = await together(house, *[("POST", f"/join/{room_id}", {}, "bob")] * 5)
    assert {answer.status for answer in answers} == {200}
    assert (await house.rooms.live.get(room_id)).head.depth == before + 1
    answers = await together(house, *[("POST", f"/rooms/{room_id}/leave", {}, "bob")] * 5)
    assert {answer.status for answer in answers} == {200}
    assert await member_of(house, room_id, "bob") == "leave"
    assert (await house.rooms.live.get(room_id)).head.depth == before + 2
