"""Tags of rooms: given, changed and taken away, one at a time."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.synapse_like.features.people import People, people

__all__ = ["people"]


async def test_tags_come_and_go(people: People) -> None:
    room_id = await people.found_room("ann")
    path = f"/user/@ann:test/rooms/{room_id}/tags"
    assert await people.ok("GET", path, token="ann") == {"tags": {}}
    await people.ok("PUT", path + "/m.favourite", {"order": 0.25, "org.example": 1}, token="ann")
    await people.ok("PUT", path + "/u.caf%C3%A9", {}, token="ann")
    tags = {"m.favourite": {"order": 0.25, "org.example": 1}, "u.café": {}}
    assert await people.ok("GET", path, token="ann") == {"tags": tags}
    assert await people.ok("GET", f"/user/@ann:test/rooms/{room_id}/account_data/m.tag", token="ann") == {"tags": tags}
    since = (await people.sync("ann"))["next_batch"]
    for _ in range(2):
        await people.ok("DELETE", path + "/m.favourite", token="ann")
    told = (await people.sync("ann", since))["rooms"]["join"][room_id]["account_data"]["events"]
    assert told == [{"type": "m.tag", "content": {"tags": {"u.café": {}}}}]


async def test_taking_away_what_is_not_there_tells_nobody(people: People) -> None:
    room_id = await people.found_room("ann")
    since = (await people.sync("ann"))["next_batch"]
    await people.ok("DELETE", f"/user/@ann:test/rooms/{room_id}/tags/u.none", token="ann")
    assert "rooms" not in await people.sync("ann", since)


async def test_tags_set_at_once_are_all_kept(people: People) -> None:
    path = "/user/@ann:test/rooms/!r:test/tags"
    for put in [Deferred.fromCoroutine(people.ok("PUT", f"{path}/u.{n}", {}, token="ann")) for n in range(8)]:
        await put
    assert set((await people.ok("GET", path, token="ann"))["tags"]) == {f"u.{n}" for n in range(8)}


@pytest.mark.parametrize("info", [{"order": "0.5"}, {"order": True}, {"order": {}}])
async def test_an_order_is_a_number(people: People, info: dict[str, Any]) -> None:
    answer = await people.request("PUT", "/user/@ann:test/rooms/!r:test/tags/u.x", info, token="ann")
    assert (answer.status, answer.body["errcode"]) == (400, "M_BAD_JSON")


async def test_tags_belong_to_their_user(people: People) -> None:
    path = "/user/@ann:test/rooms/!r:test/tags"
    assert (await people.request("GET", path, token="ben")).status == 403
    assert (await people.request("PUT", path + "/x", {}, token="ben")).status == 403
    assert (await people.request("PUT", path + "/" + "x" * 300, {}, token="ann")).status == 400
