"""GET /hierarchy: what users see of spaces, here and on other servers."""

from typing import Any
from urllib.parse import quote

from tests.kit.homeserver import TestServer, server
from tests.kit.remote_servers import Remotes

__all__ = ["server"]


async def add(server: TestServer, token: str, space: str, child: str, **content: Any) -> None:
    path = f"/rooms/{quote(space)}/state/m.space.child/{quote(child)}"
    await server.ok("PUT", path, {"via": ["test"], **content}, token=token)


async def space_of(server: TestServer, token: str, name: str, *children: str, **options: Any) -> str:
    options = {"preset": "public_chat", **options}
    space = await server.create_room(token, creation_content={"type": "m.space"}, name=name, **options)
    for order, child in enumerate(children):
        await add(server, token, space, child, order=str(order))
    return space


async def room(server: TestServer, token: str, name: str, **options: Any) -> str:
    return await server.create_room(token, name=name, **{"preset": "public_chat", **options})


async def hierarchy(server: TestServer, token: str, space: str, **query: Any) -> Any:
    return await server.request("GET", f"/_matrix/client/v1/rooms/{quote(space)}/hierarchy", token=token, query=query)


async def names(server: TestServer, token: str, space: str, **query: Any) -> list[str]:
    answer = await hierarchy(server, token, space, **query)
    assert answer.status == 200, answer
    return [each.get("name", each["room_id"]) for each in answer.body["rooms"]]


async def test_parents_come_before_children_and_each_room_once(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    deep = await room(server, alice, "deep")
    inner = await space_of(server, alice, "inner", deep)
    leaf = await room(server, alice, "leaf")
    hidden = await room(server, alice, "hidden", preset="private_chat")
    outer = await space_of(server, alice, "outer", inner, hidden, leaf, deep)
    await add(server, alice, inner, outer, order="z")
    assert await names(server, alice, outer) == ["outer", "inner", "deep", "hidden", "leaf"]
    assert await names(server, bob, outer) == ["outer", "inner", "deep", "leaf"]
    found = (await hierarchy(server, bob, outer)).body["rooms"]
    assert [event["state_key"] for event in found[0]["children_state"]] == [inner, hidden, leaf, deep]
    assert {each["name"] for each in found} == {"outer", "inner", "leaf", "deep"}
    assert len(found) == 4 and found[0]["room_type"] == "m.space"
    assert await names(server, bob, outer, max_depth=0) == ["outer"]
    await add(server, alice, outer, leaf, order="2", suggested=True)
    assert await names(server, bob, outer, suggested_only="true") == ["outer", "leaf"]


async def test_pages_are_the_whole_in_pieces(server: TestServer) -> None:
    alice = await server.register("alice")
    rooms = [await room(server, alice, f"room {number}") for number in range(5)]
    space = await space_of(server, alice, "space", *rooms)
    whole = await names(server, alice, space)
    assert whole == ["space", *(f"room {number}" for number in range(5))]
    pieces: list[str] = []
    token: dict[str, Any] = {}
    for _ in range(10):
        answer = (await hierarchy(server, alice, space, limit=2, **token)).body
        pieces += [each["name"] for each in answer["rooms"]]
        if "next_batch" not in answer:
            break
        token = {"from": answer["next_batch"]}
    assert pieces == whole
    assert (await hierarchy(server, alice, space, suggested_only="true", **token)).status == 400
    assert (await hierarchy(server, alice, space, **{"from": "x"})).status == 400


async def test_private_spaces_are_for_those_who_are_in_or_invited(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    space = await space_of(server, alice, "private", preset="private_chat")
    answer = await hierarchy(server, bob, space)
    assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert (await hierarchy(server, bob, "!nothing:test")).status == 403
    await server.ok("POST", f"/rooms/{quote(space)}/invite", {"user_id": "@bob:test"}, token=alice)
    await server.caught_up()
    assert await names(server, bob, space) == ["private"]


async def test_children_on_other_servers_are_asked_for_there(server: TestServer) -> None:
    remotes = Remotes(server.homeserver)
    alice = await server.register("alice")
    space = await space_of(server, alice, "here")
    await add(server, alice, space, "!town:one", via=["dead", "one"])
    summary = {"num_joined_members": 2, "world_readable": False, "guest_can_join": False}
    street = {**summary, "room_id": "!street:one", "name": "street", "join_rule": "public"}
    closed = {**summary, "room_id": "!closed:one", "name": "closed", "join_rule": "invite"}
    members = {**closed, "room_id": "!members:one", "name": "members", "join_rule": "restricted"}
    state = [
        {"type": "m.space.child", "state_key": each["room_id"], "sender": "@x:one", "content": {"via": ["one"]}}
        for each in (street, closed, members)
    ]
    town = {**summary, "room_id": "!town:one", "name": "town", "room_type": "m.space", "join_rule": "public"}
    answer = {
        "room": {**town, "children_state": [*state, None, {"type": "m.space.child"}]},
        "children": [street, closed, {**members, "allowed_room_ids": [space]}, 7, {"room_id": 1}],
    }
    remotes.answer = lambda *_: answer
    remotes.dead.add("dead")
    for _ in range(2):
        assert await names(server, alice, space) == ["here", "town", "street", "members"]
    assert [destination for destination, *_ in remotes.asked] == ["dead", "one"], "what was said is remembered"
    lies: list[Any] = [[], {}, {"room": {"room_id": "!other:one"}}, {"room": {**town, "name": 7}}]
    for number, lie in enumerate(lies):
        remotes.answer = lambda *_, lie=lie: lie
        await add(server, alice, space, f"!lie{number}:one", via=["one"])
    assert await names(server, alice, space) == ["here", "town", "street", "members"]
