"""Room aliases: making, finding, listing and removing them."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.features.directory import Directory
from synapse_like.features.directory.config import DirectoryRule
from synapse_like.features.directory.rules import Rules
from synapse_like.matrix.errors import RoomInUse
from synapse_like.toolkit.http import Requester
from tests.kit.homeserver import TestServer
from tests.kit.room_features import house, state_of

__all__ = ["house"]

FORBIDDEN = (403, "M_FORBIDDEN")


def path(alias: str) -> str:
    return f"/directory/room/{quote(alias, safe='')}"


async def make(house: TestServer, who: str, alias: str, room_id: str) -> tuple[int, str]:
    answer = await house.request("PUT", path(alias), {"room_id": room_id}, token=who)
    return answer.status, answer.body.get("errcode", "")


async def test_an_alias_is_made_found_and_removed(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat")
    assert await make(house, "alice", "#a/bc:test", room_id) == (200, "")
    assert (await house.ok("GET", path("#a/bc:test")))["room_id"] == room_id
    assert await make(house, "alice", "#a/bc:test", room_id) == (409, "M_UNKNOWN")
    await house.ok("DELETE", path("#a/bc:test"), token="alice")
    answer = await house.request("GET", path("#a/bc:test"))
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    assert (await house.request("DELETE", path("#a/bc:test"), token="alice")).status == 404


async def test_who_may_make_which(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    assert await make(house, "bob", "#x:test", room_id) == FORBIDDEN
    assert await make(house, "!root", "#root:test", room_id) == (200, "")
    assert await make(house, "alice", "#x:elsewhere", room_id) == (400, "M_INVALID_PARAM")
    assert await make(house, "alice", "x", room_id) == (400, "M_INVALID_PARAM")
    assert await make(house, "alice", "#x y:test", room_id) == (400, "M_INVALID_PARAM")
    assert await make(house, "alice", f"#{'x' * 300}:test", room_id) == (400, "M_INVALID_PARAM")
    assert await make(house, "alice", "#x:test", "!unknown:test") == (404, "M_NOT_FOUND")


async def test_who_may_list_them(house: TestServer) -> None:
    room_id = await house.create_room("alice", room_alias_name="one")
    await make(house, "alice", "#two:test", room_id)
    listed = await house.ok("GET", f"/rooms/{room_id}/aliases", token="alice")
    assert listed == {"aliases": ["#one:test", "#two:test"]}
    assert (await house.request("GET", f"/rooms/{room_id}/aliases", token="bob")).status == 403
    visible = {"history_visibility": "world_readable"}
    await house.ok("PUT", f"/rooms/{room_id}/state/m.room.history_visibility", visible, token="alice")
    assert await house.ok("GET", f"/rooms/{room_id}/aliases", token="bob") == listed


async def test_removing_changes_the_canonical_alias(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat", room_alias_name="one")
    await house.join("bob", room_id)
    for alias in ("#two:test", "#three:test"):
        assert await make(house, "bob", alias, room_id) == (200, "")
    content = {"alias": "#one:test", "alt_aliases": ["#two:test", "#three:test"]}
    await house.ok("PUT", f"/rooms/{room_id}/state/m.room.canonical_alias", content, token="alice")
    answer = await house.request("DELETE", path("#one:test"), token="bob")
    assert (answer.status, answer.body["errcode"]) == FORBIDDEN
    await house.ok("DELETE", path("#two:test"), token="bob")
    assert (await _canonical(house, room_id)) == content  # bob made it, but may not change the state
    await house.ok("DELETE", path("#three:test"), token="alice")
    assert (await _canonical(house, room_id)) == {"alias": "#one:test", "alt_aliases": ["#two:test"]}
    await house.ok("DELETE", path("#one:test"), token="alice")
    assert (await _canonical(house, room_id)) == {"alt_aliases": ["#two:test"]}


async def test_reservations(house: TestServer) -> None:
    directory: Directory = house.homeserver.front(Directory)
    alice = Requester("@alice:test")
    await directory.reserve(alice, "#r:test")
    assert (await house.request("GET", path("#r:test"))).status == 404
    with pytest.raises(RoomInUse):
        await directory.reserve(alice, "#r:test")
    await directory.release("#r:test")
    await directory.reserve(alice, "#r:test")
    await directory.point("#r:test", "!room:test")
    await directory.release("#r:test")
    assert await directory.resolve("#r:test") == "!room:test"


_RULES = [
    {"user_id": "@alice:*", "alias": "#bad*", "action": "deny"},
    {"user_id": "@alice:*", "action": "allow"},
]


@pytest.mark.config(alias_creation_rules=_RULES, room_list_publication_rules=_RULES)
async def test_rules_of_the_administrators(house: TestServer) -> None:
    room_id = await house.create_room("alice", preset="public_chat")
    await house.join("bob", room_id)
    assert await make(house, "alice", "#bad-one:test", room_id) == FORBIDDEN
    assert await make(house, "bob", "#good:test", room_id) == FORBIDDEN
    assert await make(house, "alice", "#good:test", room_id) == (200, "")
    answer = await house.request("POST", "/createRoom", {"visibility": "public"}, token="bob")
    assert answer.status == 403
    await house.create_room("alice", visibility="public")


@pytest.mark.parametrize(
    ("aliases", "expected"), [([], False), (["#b:x"], False), (["#a:x", "#b:x"], True), (["#c:x"], False)]
)
def test_the_first_rule_that_fits_decides(aliases: list[Any], expected: bool) -> None:
    rules = Rules([DirectoryRule(alias="#b*", user_id="@eve*", action="deny"), DirectoryRule(alias="#a:?")])
    assert rules.allow("@bob:x", "!r", aliases) is expected


async def _canonical(house: TestServer, room_id: str) -> Any:
    return (await state_of(house, room_id))["m.room.canonical_alias", ""]
