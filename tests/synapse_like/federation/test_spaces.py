"""Spaces as other servers are shown them."""

from typing import Any
from urllib.parse import quote

from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, member


async def space_of(server: TestServer, token: str, children: dict[str, dict[str, Any]], **options: Any) -> str:
    """A space with these children: room id to more content."""
    space = await server.create_room(token, creation_content={"type": "m.space"}, name="Town", **options)
    for room_id, content in children.items():
        path = f"/rooms/{quote(space)}/state/m.space.child/{quote(room_id)}"
        await server.ok("PUT", path, {"via": ["test"], **content}, token=token)
    return space


async def hierarchy(remotes: Remotes, room_id: str, query: str = "", origin: str = "one") -> tuple[int, Any]:
    return await remotes.ask(origin, "GET", f"/_matrix/federation/v1/hierarchy/{quote(room_id)}{query}")


async def test_a_space_and_its_children(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    public = await server.create_room(alice, preset="public_chat", name="Street", topic="Long")
    private = await server.create_room(alice, preset="private_chat", name="Cellar")
    await server.caught_up()
    children: dict[str, dict[str, Any]] = {
        public: {"suggested": True, "order": "b"},
        private: {"order": "a"},
        "!unknown:two": {},
    }
    space = await space_of(server, alice, children, preset="public_chat")
    status, found = await hierarchy(remotes, space)
    assert status == 200
    room = found["room"]
    assert (room["room_id"], room["name"], room["room_type"]) == (space, "Town", "m.space")
    assert [event["state_key"] for event in room["children_state"]] == [private, public, "!unknown:two"]
    assert room["children_state"][0].keys() == {"type", "state_key", "sender", "content", "origin_server_ts"}
    (child,) = found["children"]
    assert (child["room_id"], child["name"], child["topic"], child["join_rule"]) == (public, "Street", "Long", "public")
    assert child["room_version"] == "12" and child["num_joined_members"] == 1
    assert found["inaccessible_children"] == [private]
    status, found = await hierarchy(remotes, space, "?suggested_only=true")
    assert [event["state_key"] for event in found["room"]["children_state"]] == [public]


async def test_who_may_know_of_a_private_space(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    space = await space_of(server, alice, {}, preset="private_chat")
    assert (await hierarchy(remotes, space))[0] == 404
    assert (await hierarchy(remotes, "!unknown:test"))[0] == 404
    await server.ok(
        "PUT",
        f"/rooms/{quote(space)}/state/m.room.history_visibility",
        {"history_visibility": "world_readable"},
        token=alice,
    )
    assert (await hierarchy(remotes, space))[0] == 200


async def test_restricted_children_are_for_servers_in_the_space(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    space = await space_of(server, alice, {}, preset="public_chat")
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}, 7, {"type": "x"}]}
    child = await server.create_room(
        alice, preset="private_chat", initial_state=[{"type": "m.room.join_rules", "content": rule}]
    )
    path = f"/rooms/{quote(space)}/state/m.space.child/{quote(child)}"
    await server.ok("PUT", path, {"via": ["test"]}, token=alice)
    assert (await hierarchy(remotes, space))[1]["inaccessible_children"] == [child]
    await member(server, space, "@bob:one")
    assert (await hierarchy(remotes, space, origin="two"))[1]["children"] == []
    await member(server, space, "@dan:three:8448")
    assert (await hierarchy(remotes, space, origin="8448"))[1]["children"] == []
    assert len((await hierarchy(remotes, space, origin="three:8448"))[1]["children"]) == 1
    _, found = await hierarchy(remotes, space)
    assert [(each["room_id"], each["allowed_room_ids"]) for each in found["children"]] == [(child, [space])]
    await server.ok("PUT", path, {}, token=alice)
    assert (await hierarchy(remotes, space))[1]["children"] == []


async def test_a_room_that_is_no_space_has_no_children(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    path = f"/rooms/{quote(room_id)}/state/m.space.child/{quote('!x:one')}"
    await server.ok("PUT", path, {"via": ["test"]}, token=alice)
    status, found = await hierarchy(remotes, room_id)
    assert (status, found["room"]["children_state"], found["children"]) == (200, [], [])
    assert (await hierarchy(remotes, room_id, "?suggested_only=maybe"))[0] == 400
