"""GET state, members, joined_members and joined_rooms."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.synapse_like.features.readers import Readers, server

__all__ = ["server"]


def by_key(events: list[Any]) -> dict[tuple[str, str], Any]:
    return {(event["type"], event["state_key"]): event["content"] for event in events}


async def test_all_state(server: Readers) -> None:
    room_id = await server.found_room()
    await server.set("alice", room_id, "m.room.name", {"name": "one"})
    await server.set("alice", room_id, "m.room.name", {"name": "two"})
    await server.set("alice", room_id, "org.example", {"a": 1}, "key/with slash")
    state = await server.get("alice", room_id, "state")
    assert by_key(state)["m.room.name", ""] == {"name": "two"}
    assert len(state) == 5
    assert all(event["room_id"] == room_id and "event_id" in event for event in state)


async def test_one_state_event(server: Readers) -> None:
    room_id = await server.found_room()
    await server.set("alice", room_id, "m.room.name", {"name": "two"})
    await server.set("alice", room_id, "org.example", {"a": 1}, "key/with slash")
    assert await server.get("alice", room_id, "state/m.room.name") == {"name": "two"}
    assert await server.get("alice", room_id, "state/m.room.name/") == {"name": "two"}
    assert await server.get("alice", room_id, f"state/org.example/{quote('key/with slash', safe='')}") == {"a": 1}
    assert (await server.get("alice", room_id, "state/m.room.member/@alice:test"))["membership"] == "join"
    event = await server.get("alice", room_id, "state/m.room.name/", format="event")
    assert (event["type"], event["state_key"], event["content"]) == ("m.room.name", "", {"name": "two"})
    for path in ("state/m.room.topic", "state/m.room.name/other", "state/m.room.member/@bob:test"):
        answer = await server.try_get("alice", room_id, path)
        assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    assert (await server.try_get("alice", room_id, "state/m.room.name", format="x")).status == 400


async def test_who_has_left_sees_the_state_at_the_departure(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "join")
    await server.set("alice", room_id, "m.room.name", {"name": "before"})
    await server.become("bob", room_id, "leave")
    await server.set("alice", room_id, "m.room.name", {"name": "after"})
    await server.set("alice", room_id, "m.room.topic", {"topic": "after"})
    await server.become("carol", room_id, "leave")
    await server.become("dan", room_id, "join")
    state = by_key(await server.get("bob", room_id, "state"))
    assert state["m.room.name", ""] == {"name": "before"}
    assert state["m.room.member", "@bob:test"] == {"membership": "leave"}
    assert state["m.room.member", "@carol:test"] == {"membership": "join"}
    assert ("m.room.topic", "") not in state
    assert await server.get("bob", room_id, "state/m.room.name") == {"name": "before"}
    assert (await server.try_get("bob", room_id, "state/m.room.topic")).status == 404
    members = (await server.get("bob", room_id, "members"))["chunk"]
    assert {event["state_key"] for event in members} == {"@alice:test", "@bob:test", "@carol:test"}
    assert (await server.try_get("bob", room_id, "joined_members")).status == 403


@pytest.mark.parametrize("path", ["state", "state/m.room.create", "members", "joined_members"])
async def test_strangers_see_only_rooms_that_are_open_to_the_world(server: Readers, path: str) -> None:
    room_id = await server.found_room()
    for name in ("mallory", "guest1"):
        answer = await server.try_get(name, room_id, path)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert (await server.try_get("alice", "!none:test", path)).status == 403
    await server.set("alice", room_id, "m.room.history_visibility", {"history_visibility": "world_readable"})
    for name in ("mallory", "guest1"):
        assert (await server.try_get(name, room_id, path)).status == 200


async def test_members(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "invite", by="alice")
    token = (await server.sync("alice"))["next_batch"]
    place = (await server.get("alice", room_id, "messages", dir="b", limit=1))["end"]
    await server.become("bob", room_id, "leave")
    await server.become("dan", room_id, "join")

    async def found(**query: Any) -> dict[str, str]:
        members = (await server.get("alice", room_id, "members", **query))["chunk"]
        assert all(event["type"] == "m.room.member" for event in members)
        return {event["state_key"][1:-5]: event["content"]["membership"] for event in members}

    assert await found() == {"alice": "join", "bob": "leave", "carol": "invite", "dan": "join"}
    assert await found(membership="join") == {"alice": "join", "dan": "join"}
    assert await found(not_membership="leave") == {"alice": "join", "carol": "invite", "dan": "join"}
    assert await found(membership="join", not_membership="join") == {}
    assert await found(at=token) == {"alice": "join", "bob": "join", "carol": "invite"}
    assert await found(at=token, membership="invite") == {"carol": "invite"}
    assert await found(at=place) == {"alice": "join", "bob": "join"}
    for query in ({"membership": "maybe"}, {"not_membership": ""}, {"at": "x"}):
        assert (await server.try_get("alice", room_id, "members", **query)).status == 400


async def test_joined_members_and_joined_rooms(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "invite", by="alice")
    assert await server.get("bob", room_id, "joined_members") == {
        "joined": {
            "@alice:test": {"display_name": "Alice", "avatar_url": None},
            "@bob:test": {"display_name": None, "avatar_url": None},
        }
    }
    assert await server.ok("GET", "/joined_rooms", token="bob") == {"joined_rooms": [room_id]}
    assert await server.ok("GET", "/joined_rooms", token="carol") == {"joined_rooms": []}


async def test_one_query_for_a_state_in_memory_and_two_for_one_of_the_past(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.redact("alice", room_id, await server.set("alice", room_id, "m.room.topic", {"topic": "x"}))
    await server.become("carol", room_id, "join")
    await server.become("carol", room_id, "leave")
    token = (await server.sync("alice"))["next_batch"]
    for name in ("alice", "carol"):
        for path in ("state", "state/m.room.topic", "members", f"members?at={token}"):
            first = await server.get(name, room_id, path)
            await server.quiet()
            server.queries.clear()
            assert without_age(await server.get(name, room_id, path)) == without_age(first)
            is_kept = name == "alice" and path in ("state", "members")
            assert len(server.queries) == (1 if is_kept else 2), path


async def test_what_is_not_in_memory_is_read(server: Readers) -> None:
    room_id = await server.found_room()
    topic = await server.set("alice", room_id, "m.room.topic", {"topic": "x"})
    await server.redact("alice", room_id, topic)
    known = {path: without_age(await server.get("alice", room_id, path)) for path in ("state", "members")}
    await server.caught_up()
    for event in await server.get("alice", room_id, "state"):
        server.rooms.events.forget(event["event_id"])
    for path, answer in known.items():
        server.queries.clear()
        assert without_age(await server.get("alice", room_id, path)) == answer
        assert len(server.queries) <= 4, path
    redacted = next(event for event in known["state"] if event["event_id"] == topic)
    assert (redacted["content"], redacted["unsigned"]["redacted_because"]["type"]) == ({}, "m.room.redaction")


def without_age(answer: Any) -> Any:
    """Events by id, without what changes by itself."""
    events = answer["chunk"] if isinstance(answer, dict) and "chunk" in answer else answer
    if not isinstance(events, list):
        return events
    for event in events:
        event["unsigned"].pop("age")
        event["unsigned"].get("redacted_because", {}).get("unsigned", {}).pop("age", None)
    return sorted(events, key=lambda event: str(event["event_id"]))
