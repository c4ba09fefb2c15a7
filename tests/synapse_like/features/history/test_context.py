"""GET context, event and timestamp_to_event."""

import json
from typing import Any

import pytest

from synapse_like.rooms.front import Draft
from tests.synapse_like.features.readers import Readers, bodies, server

__all__ = ["server"]


async def test_context_has_neighbours_and_tokens_that_lead_on(server: Readers) -> None:
    room_id = await server.found_room()
    sent = [await server.say("alice", room_id, str(index)) for index in range(9)]
    found = await server.get("alice", room_id, f"context/{sent[4]}", limit=5)
    assert found["event"]["event_id"] == sent[4]
    assert bodies(found["events_before"]) == ["3", "2"]
    assert bodies(found["events_after"]) == ["5", "6", "7"]
    assert await server.bodies("alice", room_id, from_=found["start"]) == ["1", "0"]
    assert await server.bodies("alice", room_id, dir="f", from_=found["end"]) == ["8"]
    alone = await server.get("alice", room_id, f"context/{sent[4]}", limit=0)
    assert alone["events_before"] == alone["events_after"] == []
    assert await server.bodies("alice", room_id, from_=alone["start"]) == ["3", "2", "1", "0"]
    assert await server.bodies("alice", room_id, dir="f", from_=alone["end"]) == ["5", "6", "7", "8"]


async def test_state_of_the_context_is_that_after_its_last_event(server: Readers) -> None:
    room_id = await server.found_room()
    await server.set("alice", room_id, "m.room.name", {"name": "old"})
    event_id = await server.say("alice", room_id, "here")
    topic = await server.set("alice", room_id, "m.room.topic", {"topic": "between"})
    await server.set("alice", room_id, "m.room.name", {"name": "new"})
    found = await server.get("alice", room_id, f"context/{event_id}", limit=1)
    assert [event["event_id"] for event in found["events_after"]] == [topic]
    state = {event["type"]: event["content"] for event in found["state"]}
    assert state["m.room.name"] == {"name": "old"}
    assert state["m.room.topic"] == {"topic": "between"}
    assert len(state) == 5


async def test_context_with_lazy_members_and_filter(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "join")
    event_id = await server.say("bob", room_id, "here")
    chosen = json.dumps({"lazy_load_members": True, "types": ["m.room.member"]})
    found = await server.get("alice", room_id, f"context/{event_id}", filter=chosen)
    assert {event["state_key"] for event in found["events_before"]} == {"@alice:test", "@bob:test", "@carol:test"}
    assert found["events_after"] == []
    assert {event["state_key"] for event in found["state"]} == {"@alice:test", "@bob:test", "@carol:test"}
    alone = await server.get("alice", room_id, f"context/{event_id}", filter=chosen, limit=0)
    assert {event["state_key"] for event in alone["state"]} == {"@bob:test"}


async def test_what_one_may_not_see_is_not_found(server: Readers) -> None:
    room_id = await server.found_room("joined")
    other = await server.found_room(version="11")
    hidden = await server.say("alice", room_id, "before")
    elsewhere = await server.say("alice", other, "elsewhere")
    await server.become("bob", room_id, "join")
    for event_id in (hidden, elsewhere, "$nothing", "nonsense"):
        for path in (f"context/{event_id}", f"event/{event_id}"):
            answer = await server.try_get("bob", room_id, path)
            assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
        assert (await server.request("GET", f"/events/{event_id}", token="bob")).status == 404
    assert (await server.try_get("mallory", room_id, f"context/{hidden}")).status == 403
    assert (await server.try_get("mallory", room_id, f"event/{hidden}")).status == 404


async def test_neighbours_that_are_hidden_are_left_out(server: Readers) -> None:
    room_id = await server.found_room("joined")
    await server.say("alice", room_id, "before")
    joined = await server.become("bob", room_id, "join")
    await server.say("alice", room_id, "during")
    left = await server.become("bob", room_id, "leave")
    await server.say("alice", room_id, "after")
    found = await server.get("bob", room_id, f"context/{left}")
    assert bodies(found["events_before"]) == ["during"]
    assert bodies(found["events_after"]) == []
    assert bodies((await server.get("bob", room_id, f"context/{joined}"))["events_after"]) == ["during"]


async def test_one_event(server: Readers) -> None:
    room_id = await server.found_room()
    event_id = await server.say("alice", room_id, "hi", transaction="t")
    found = await server.get("alice", room_id, f"event/{event_id}")
    assert (found["room_id"], found["content"]["body"]) == (room_id, "hi")
    assert found["unsigned"]["transaction_id"] == "t"
    anywhere = await server.ok("GET", f"/events/{event_id}", token="alice")
    assert anywhere["event_id"] == event_id
    await server.redact("alice", room_id, event_id)
    found = await server.get("alice", room_id, f"event/{event_id}")
    assert (found["content"], "redacted_because" in found["unsigned"]) == ({}, True)


async def test_context_costs_three_queries(server: Readers) -> None:
    room_id = await server.found_room()
    event_id = await server.say("alice", room_id, "hi")
    await server.get("alice", room_id, f"context/{event_id}")
    await server.quiet()
    server.queries.clear()
    await server.get("alice", room_id, f"context/{event_id}")
    assert len(server.queries) == 3
    await server.quiet()
    server.queries.clear()
    await server.get("alice", room_id, f"event/{event_id}")
    assert len(server.queries) == 2


async def at_time(server: Readers, name: str, room_id: str, **query: Any) -> Any:
    path = f"/_matrix/client/v1/rooms/{room_id}/timestamp_to_event"
    return await server.request("GET", path, token=name, query=query)


async def test_the_event_nearest_to_a_time(server: Readers) -> None:
    room_id = await server.found_room()
    sent = {}
    for time_ms in (1000, 3000, 2000):
        draft = Draft(
            type="m.room.message", sender="@alice:test", content={"body": str(time_ms)}, origin_server_ts=time_ms
        )
        sent[time_ms] = await server.rooms.creation.send(room_id, draft)
    for asked, direction, expected in [
        (1000, "f", 1000),
        (1001, "f", 2000),
        (2500, "b", 2000),
        (3000, "b", 3000),
        (10, "f", 1000),
    ]:
        answer = await at_time(server, "alice", room_id, ts=asked, dir=direction)
        assert answer.body == {"event_id": sent[expected], "origin_server_ts": expected}
    for query in ({"ts": 10, "dir": "b"}, {"ts": 2**60, "dir": "f"}):
        answer = await at_time(server, "alice", room_id, **query)
        assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")


@pytest.mark.parametrize("query", [{}, {"ts": 1}, {"dir": "f"}, {"ts": "x", "dir": "f"}, {"ts": -1, "dir": "b"}])
async def test_bad_questions_about_time(server: Readers, query: dict[str, Any]) -> None:
    room_id = await server.found_room()
    assert (await at_time(server, "alice", room_id, **query)).status == 400


async def test_time_shows_nothing_hidden(server: Readers) -> None:
    room_id = await server.found_room("joined")
    draft = Draft(type="m.room.message", sender="@alice:test", content={"body": "hidden"}, origin_server_ts=1000)
    hidden = await server.rooms.creation.send(room_id, draft)
    await server.become("bob", room_id, "join")
    assert (await at_time(server, "alice", room_id, ts=0, dir="f")).body["event_id"] == hidden
    assert (await at_time(server, "bob", room_id, ts=0, dir="f")).body["event_id"] != hidden
    assert (await at_time(server, "bob", room_id, ts=1000, dir="b")).status == 404
    assert (await at_time(server, "mallory", room_id, ts=0, dir="f")).status == 403
