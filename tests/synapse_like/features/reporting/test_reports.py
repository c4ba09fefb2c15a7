"""Reports: what is stored, and what is told about things that do not exist."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.kit.homeserver import TestServer
from tests.kit.room_features import house

__all__ = ["house"]

_STORED = "SELECT kind, reporter, room_id, event_id, user_id, reason, score FROM reports ORDER BY report_id"


async def stored(house: TestServer) -> list[Any]:
    return await house.homeserver.kit.database.read(lambda txn: txn.all(_STORED))


async def report(house: TestServer, path: str, body: Any, who: str = "bob") -> int:
    return (await house.request("POST", path, body, token=who)).status


async def test_reports_are_kept(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat")
    await house.join("bob", room_id)
    event_id = await house.send("alice", room_id, "bad words")
    path = f"/rooms/{room_id}/report/{quote(event_id)}"
    assert await report(house, path, {"reason": "rude\0", "score": -50}) == 200
    assert await report(house, path, {}) == 200
    assert await report(house, f"/rooms/{room_id}/report", {"reason": "all of it"}, "eve") == 200
    assert await report(house, "/users/@alice:test/report", {"reason": "her"}, "eve") == 200
    assert await stored(house) == [
        ("event", "@bob:test", room_id, event_id, "@alice:test", "rude", -50),
        ("event", "@bob:test", room_id, event_id, "@alice:test", None, None),
        ("room", "@eve:test", room_id, None, None, "all of it", None),
        ("user", "@eve:test", None, None, "@alice:test", "her", None),
    ]


async def test_nothing_is_told_and_nothing_stored_about_what_does_not_exist(house: TestServer) -> None:
    room_id, other = await house.create_room("alice"), await house.create_room("bob")
    event_id = await house.send("alice", room_id)
    for path in (
        f"/rooms/{room_id}/report/{event_id}",
        f"/rooms/{other}/report/{event_id}",
        f"/rooms/{other}/report/$x",
    ):
        assert await report(house, path, {}) == 404
    assert await report(house, "/rooms/!unknown:test/report/$x", {}) == 404
    assert await report(house, "/rooms/!unknown:test/report", {"reason": ""}) == 200
    assert await report(house, "/users/nobody/report", {"reason": ""}) == 200
    assert await stored(house) == []


@pytest.mark.parametrize("body", [{"score": 1}, {"score": -101}, {"score": "x"}, {"reason": 5}, {"reason": "x" * 1001}])
async def test_bad_reports(house: TestServer, body: Any) -> None:
    room_id = await house.create_room("bob")
    event_id = await house.send("bob", room_id)
    assert await report(house, f"/rooms/{room_id}/report/{event_id}", body) == 400
    assert await report(house, f"/rooms/{room_id}/report", {}) == 400


@pytest.mark.config(rc_reports={"per_second": 0.001, "burst_count": 1})
async def test_limit(house: TestServer) -> None:
    assert await report(house, "/rooms/!x:test/report", {"reason": ""}) == 200
    assert await report(house, "/rooms/!x:test/report", {"reason": ""}) == 429
