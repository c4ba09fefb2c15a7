"""GET events, initialSync and the room's initialSync."""

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from tests.synapse_like.features.readers import Readers, bodies, server

__all__ = ["server"]


async def events(server: Readers, name: str, **query: Any) -> Any:
    query = {"timeout": 0, **{key.rstrip("_"): value for key, value in query.items()}}
    return await server.ok("GET", "/events", token=name, query=query)


async def test_initial_sync_then_events(server: Readers) -> None:
    room_id = await server.found_room()
    await server.say("alice", room_id, "one")
    await server.say("alice", room_id, "two")
    other = await server.found_room(version="11")
    await server.become("bob", other, "invite", by="alice")
    await server.ok("PUT", "/user/@alice:test/account_data/org.example", {"a": 1}, token="alice")
    first = await server.ok("GET", "/initialSync", token="alice", query={"limit": 1})
    rooms = {room["room_id"]: room for room in first["rooms"]}
    assert {room_id: room["membership"] for room_id, room in rooms.items()} == {room_id: "join", other: "join"}
    assert bodies(rooms[room_id]["messages"]["chunk"]) == ["two"]
    assert len(rooms[room_id]["state"]) == 3
    assert {"type": "org.example", "content": {"a": 1}} in first["account_data"]
    assert await server.bodies("alice", room_id, from_=rooms[room_id]["messages"]["start"]) == ["one"]
    await server.say("alice", other, "three")
    await server.say("alice", room_id, "four")
    news = await events(server, "alice", from_=first["end"])
    assert sorted(bodies(news["chunk"])) == ["four", "three"]  # of two rooms in one millisecond, none is first
    assert news["start"] == first["end"]
    assert (await events(server, "alice", from_=news["end"]))["chunk"] == []
    since = await server.sync("alice", news["end"])
    assert "rooms" not in since


async def test_invites_and_departures(server: Readers) -> None:
    room_id = await server.found_room()
    start = (await server.ok("GET", "/initialSync", token="bob"))["end"]
    await server.become("bob", room_id, "invite", by="alice")
    news = await events(server, "bob", from_=start)
    assert [event["content"] for event in news["chunk"]] == [{"membership": "invite"}]
    (room,) = (await server.ok("GET", "/initialSync", token="bob"))["rooms"]
    assert (room["membership"], room["inviter"]) == ("invite", "@alice:test")
    assert room["invite"]["content"] == {"membership": "invite"}
    await server.become("bob", room_id, "join")
    await server.become("bob", room_id, "leave", by="alice")
    await server.say("alice", room_id, "unseen")
    news = await events(server, "bob", from_=news["end"])
    assert [event["content"] for event in news["chunk"]] == [{"membership": "leave"}]
    assert (await server.ok("GET", "/initialSync", token="bob"))["rooms"] == []
    (room,) = (await server.ok("GET", "/initialSync", token="bob", query={"archived": "true"}))["rooms"]
    assert room["membership"] == "leave"
    assert room["messages"]["chunk"][-1]["content"] == {"membership": "leave"}


async def test_a_long_poll_ends_with_the_next_event(server: Readers) -> None:
    room_id = await server.found_room()
    start = (await events(server, "alice"))["end"]
    waiting: Deferred[Any] = ensureDeferred(events(server, "alice", from_=start, timeout=30_000))
    await events(server, "alice", from_=start)
    assert not waiting.called
    await server.say("alice", room_id, "at last")
    assert bodies((await waiting)["chunk"]) == ["at last"]


async def test_peeking(server: Readers) -> None:
    room_id = await server.found_room()
    refused = await server.request("GET", "/events", token="guest1", query={"room_id": room_id, "timeout": 0})
    assert (refused.status, refused.body["errcode"]) == (403, "M_FORBIDDEN")
    assert (await server.try_get("guest1", room_id, "initialSync")).status == 403
    await server.set("alice", room_id, "m.room.history_visibility", {"history_visibility": "world_readable"})
    await server.say("alice", room_id, "open")
    first = await server.get("guest1", room_id, "initialSync", limit=1)
    assert bodies(first["messages"]["chunk"]) == ["open"]
    assert "membership" not in first
    await server.say("alice", room_id, "more")
    news = await events(server, "guest1", from_=first["messages"]["end"], room_id=room_id)
    assert bodies(news["chunk"]) == ["more"]


async def test_a_room_for_its_members_and_for_who_has_left(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.say("alice", room_id, "one")
    await server.become("bob", room_id, "leave")
    await server.say("alice", room_id, "two")
    mine = await server.get("alice", room_id, "initialSync")
    assert (mine["membership"], bodies(mine["messages"]["chunk"])) == ("join", ["one", "two"])
    theirs = await server.get("bob", room_id, "initialSync")
    assert (theirs["membership"], bodies(theirs["messages"]["chunk"])) == ("leave", ["one"])
    assert len(theirs["state"]) == 4


async def test_tokens_of_another_kind_are_refused(server: Readers) -> None:
    room_id = await server.found_room()
    place = (await server.get("alice", room_id, "messages", dir="b", limit=1))["end"]
    for token in (place, "x", "s1_AAAA"):
        answer = await server.request("GET", "/events", token="alice", query={"from": token, "timeout": 0})
        assert (answer.status, answer.body["errcode"]) == (400, "M_INVALID_PARAM")


async def test_the_number_of_queries_does_not_depend_on_the_number_of_rooms(server: Readers) -> None:
    async def cost() -> int:
        await server.quiet()
        server.queries.clear()
        await server.ok("GET", "/initialSync", token="alice")
        return len(server.queries)

    await server.found_room()
    await server.ok("GET", "/initialSync", token="alice")
    few = await cost()
    for _ in range(5):
        await server.found_room()
    assert await cost() == few
