"""GET messages: both directions, tokens, filters, what departed and peeking readers see, and what it costs."""

import json
from typing import Any

import pytest

from synapse_like.rooms.facts import Kind
from synapse_like.rooms.front import Draft
from tests.kit.spine import remote_event
from tests.synapse_like.features.readers import Readers, bodies, server

__all__ = ["server"]


async def talk(server: Readers, room_id: str, count: int = 5, name: str = "alice") -> list[str]:
    return [await server.say(name, room_id, f"{name} {index}") for index in range(count)]


async def test_pages_backward_to_the_start(server: Readers) -> None:
    room_id = await server.found_room()
    sent = await talk(server, room_id, 7)
    seen: list[str] = []
    query: dict[str, object] = {}
    while True:
        page = await server.get("alice", room_id, "messages", dir="b", limit=3, **query)
        seen += [event["event_id"] for event in page["chunk"]]
        if "end" not in page:
            break
        query = {"from": page["end"]}
    assert seen[:7] == sent[::-1]
    assert len(seen) == len(set(seen)) == 10
    assert page["chunk"][-1]["type"] == "m.room.create"
    assert page["chunk"][-1]["room_id"] == room_id


async def test_a_page_that_just_reaches_the_start_has_no_end(server: Readers) -> None:
    room_id = await server.found_room()
    page = await server.get("alice", room_id, "messages", dir="b", limit=3)
    assert len(page["chunk"]) == 3
    assert "end" not in page


async def test_pages_forward_from_the_start_and_goes_on_when_more_comes(server: Readers) -> None:
    room_id = await server.found_room()
    sent = await talk(server, room_id, 4)
    first = await server.get("alice", room_id, "messages", dir="f", limit=5)
    assert first["chunk"][0]["type"] == "m.room.create"
    second = await server.get("alice", room_id, "messages", dir="f", limit=5, from_=first["end"])
    assert [e["event_id"] for e in (*first["chunk"], *second["chunk"])][3:] == sent
    third = await server.get("alice", room_id, "messages", dir="f", limit=5, from_=second["end"])
    assert third["chunk"] == []
    assert "end" not in third
    late = await server.say("alice", room_id, "late")
    third = await server.get("alice", room_id, "messages", dir="f", limit=5, from_=second["end"])
    assert [event["event_id"] for event in third["chunk"]] == [late]


async def forked(server: Readers) -> str:
    """A room in which another server's events come late, on an old branch."""
    room_id = await server.found_room()
    rooms = server.rooms
    live = await rooms.live.get(room_id)
    tip = await rooms.events.get_one(live.head.extremities[0].event_id)
    rules = live.state_event("m.room.join_rules")
    assert tip is not None
    assert rules is not None
    bob = "@bob:there"
    join = Draft(type="m.room.member", sender=bob, content={"membership": "join"}, state_key=bob)
    first = last = await remote_event(rooms, room_id, join, [tip.event], [rules])
    await rooms.reception.receive(room_id, [first])
    await talk(server, room_id, 3)
    for index in range(4):
        draft = Draft(type="m.room.message", sender=bob, content={"body": f"bob {index}"})
        last = await remote_event(rooms, room_id, draft, [last], [first])
        assert await rooms.reception.receive(room_id, [last]) == [Kind.LIVE]
        await server.say("alice", room_id, f"between {index}")
    return room_id


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_a_forked_room_is_paged_without_gaps_or_repeats(server: Readers, limit: int) -> None:
    room_id = await forked(server)
    whole = await server.get("alice", room_id, "messages", dir="b", limit=100)
    expected = [event["event_id"] for event in whole["chunk"]]
    assert len(set(expected)) == len(expected) == 15
    for direction in ("b", "f"):
        seen: list[str] = []
        page = await server.get("alice", room_id, "messages", dir=direction, limit=limit)
        while page["chunk"]:
            seen += [event["event_id"] for event in page["chunk"]]
            if "end" not in page:
                break
            page = await server.get("alice", room_id, "messages", dir=direction, limit=limit, from_=page["end"])
        assert seen == (expected if direction == "b" else expected[::-1])


async def test_start_is_from_and_turning_round_at_a_token_repeats_the_page(server: Readers) -> None:
    room_id = await server.found_room()
    await talk(server, room_id, 6)
    newest = await server.get("alice", room_id, "messages", dir="b", limit=3)
    older = await server.get("alice", room_id, "messages", dir="b", limit=3, from_=newest["end"])
    assert older["start"] == newest["end"]
    again = await server.get("alice", room_id, "messages", dir="f", limit=3, from_=older["end"])
    assert bodies(again["chunk"]) == bodies(older["chunk"])[::-1]
    same = await server.get("alice", room_id, "messages", dir="b", limit=3, from_=newest["start"])
    assert bodies(same["chunk"]) == bodies(newest["chunk"])


async def test_tokens_of_sync(server: Readers) -> None:
    room_id = await server.found_room()
    await talk(server, room_id, 3)
    answer = await server.sync("alice", filter=json.dumps({"room": {"timeline": {"limit": 1}}}))
    timeline = answer["rooms"]["join"][room_id]["timeline"]
    assert await server.bodies("alice", room_id, from_=timeline["prev_batch"]) == ["alice 1", "alice 0"]
    await server.say("alice", room_id, "after")
    token = answer["next_batch"]
    assert await server.bodies("alice", room_id, from_=token) == ["alice 2", "alice 1", "alice 0"]
    assert await server.bodies("alice", room_id, dir="f", from_=token) == ["after"]
    assert await server.bodies("alice", room_id, dir="b", to=token) == ["after"]
    assert await server.bodies("alice", room_id, dir="f", to=token) == ["alice 0", "alice 1", "alice 2"]


async def test_to_stops_and_is_where_the_page_ends(server: Readers) -> None:
    room_id = await server.found_room()
    await talk(server, room_id, 6)
    newest = await server.get("alice", room_id, "messages", dir="b", limit=4)
    page = await server.get("alice", room_id, "messages", dir="b", limit=10, to=newest["end"])
    assert bodies(page["chunk"]) == bodies(newest["chunk"])
    assert page["end"] == newest["end"]
    done = await server.get("alice", room_id, "messages", dir="b", from_=newest["end"], to=newest["end"])
    assert done["chunk"] == []
    assert "end" not in done


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"dir": "x"},
        {"dir": "b", "from": "t1-2_3"},
        {"dir": "b", "from": "p1_99999999999999999999"},
        {"dir": "b", "from": "s1_AAAA"},
        {"dir": "b", "to": "s1_!"},
        {"dir": "b", "limit": "-1"},
        {"dir": "b", "limit": "many"},
        {"dir": "b", "filter": "{"},
        {"dir": "b", "filter": '{"types":1}'},
    ],
)
async def test_bad_questions(server: Readers, query: dict[str, str]) -> None:
    room_id = await server.found_room()
    answer = await server.try_get("alice", room_id, "messages", **query)
    assert answer.status == 400
    assert answer.body["errcode"].startswith("M_")


async def test_filters(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await talk(server, room_id, 2)
    await talk(server, room_id, 2, "bob")
    await server.say("bob", room_id, "picture", url="mxc://test/1")

    async def found(chosen: object, **query: object) -> list[str]:
        return await server.bodies("alice", room_id, filter=json.dumps(chosen), **query)

    assert await found({"senders": ["@bob:test"]}, limit=2) == ["picture", "bob 1"]
    assert await found({"not_senders": ["@bob:test"]}) == ["alice 1", "alice 0"]
    assert await found({"contains_url": True}) == ["picture"]
    assert await found({"contains_url": False}, limit=1) == ["bob 1"]
    assert await found({"types": ["m.room.*"], "not_types": ["m.room.mess*"]}) == []
    assert len(await found({"types": ["m.room.mess*"]})) == 5
    assert await found({"types": ["m.room.name", "\x00", "\ud800"]}) == []
    assert await found({"types": ["m.room.message"], "limit": 1}) != []
    assert await found({"rooms": ["!other:test"]}) == []
    page = await server.get(
        "alice", room_id, "messages", dir="b", limit=3, filter=json.dumps({"types": ["m.room.create"]})
    )
    assert [event["type"] for event in page["chunk"]] == ["m.room.create"]


async def test_lazy_loading_brings_the_senders_as_they_were(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "join")
    await server.say("bob", room_id, "hi")
    await server.set("bob", room_id, "m.room.member", {"membership": "join", "displayname": "Bobby"}, "@bob:test")
    chosen = json.dumps({"lazy_load_members": True, "types": ["m.room.message"]})
    page = await server.get("alice", room_id, "messages", dir="b", filter=chosen)
    assert [(event["state_key"], event["content"]) for event in page["state"]] == [
        ("@bob:test", {"membership": "join"})
    ]
    plain = await server.get("alice", room_id, "messages", dir="b")
    assert "state" not in plain


async def test_transaction_ids_for_the_sending_device_only(server: Readers) -> None:
    room_id = await server.found_room()
    await server.say("alice", room_id, "hi", transaction="t1")
    for reader, expected in (("alice", "t1"), ("alice/LAPTOP", None)):
        page = await server.get(reader, room_id, "messages", dir="b", limit=1)
        assert page["chunk"][0]["unsigned"].get("transaction_id") == expected


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_redacted_events_say_why(server: Readers, is_in_memory: bool) -> None:
    room_id = await server.found_room()
    event_id = await server.say("alice", room_id, "oops")
    await server.get("alice", room_id, "messages", dir="b", limit=2)
    redaction = await server.redact("alice", room_id, event_id)
    if not is_in_memory:
        for each in (event_id, redaction):
            server.rooms.events.forget(each)
    page = await server.get("alice", room_id, "messages", dir="b", limit=2)
    assert page["chunk"][1]["content"] == {}
    because = page["chunk"][1]["unsigned"]["redacted_because"]
    assert (because["event_id"], because["type"]) == (redaction, "m.room.redaction")


async def test_strangers_and_unknown_rooms_are_refused_alike(server: Readers) -> None:
    room_id = await server.found_room()
    for name, place in (("mallory", room_id), ("guest1", room_id), ("alice", "!none:test")):
        answer = await server.try_get(name, place, "messages", dir="b")
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    await server.become("mallory", room_id, "invite", by="alice")
    assert (await server.try_get("mallory", room_id, "messages", dir="b")).status == 403


async def test_who_has_left_sees_up_to_the_departure(server: Readers) -> None:
    room_id = await server.found_room()
    await server.say("alice", room_id, "before")
    await server.become("bob", room_id, "join")
    await server.say("alice", room_id, "during")
    await server.become("bob", room_id, "leave")
    await talk(server, room_id, 12)
    page = await server.get("bob", room_id, "messages", dir="b", limit=3)
    assert page["chunk"][0]["content"] == {"membership": "leave"}
    assert bodies(page["chunk"]) == ["during"]
    token = (await server.sync("alice"))["next_batch"]
    assert await server.bodies("bob", room_id, from_=token) == ["during", "before"]
    assert await server.bodies("bob", room_id, dir="f") == ["before", "during"]
    await server.become("bob", room_id, "invite", by="alice")
    assert await server.bodies("bob", room_id) == ["during", "before"]
    await server.become("bob", room_id, "join")
    assert len(await server.bodies("bob", room_id)) == 14


async def test_who_has_forgotten_the_room_is_a_stranger(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("bob", room_id, "leave")
    sql = "UPDATE members SET is_forgotten = 1 WHERE user_id = '@bob:test'"
    await server.homeserver.kit.database.write(lambda txn: txn.run(sql))
    assert (await server.try_get("bob", room_id, "messages", dir="b")).status == 403


async def test_history_for_members_begins_at_their_join(server: Readers) -> None:
    room_id = await server.found_room("joined")
    await server.say("alice", room_id, "before")
    await server.become("bob", room_id, "join")
    await server.say("alice", room_id, "after")
    assert await server.bodies("bob", room_id) == ["after"]
    await server.set("alice", room_id, "m.room.history_visibility", {"history_visibility": "shared"})
    await server.become("carol", room_id, "join")
    assert await server.bodies("carol", room_id) == []


async def test_everybody_may_read_what_is_open_to_the_world(server: Readers) -> None:
    room_id = await server.found_room("world_readable")
    await server.say("alice", room_id, "open")
    assert await server.bodies("mallory", room_id) == ["open"]
    assert await server.bodies("guest1", room_id) == ["open"]
    page = await server.get("mallory", room_id, "messages", dir="b", limit=1)
    assert page["chunk"][0]["unsigned"]["membership"] == "leave"
    await server.set("alice", room_id, "m.room.history_visibility", {"history_visibility": "shared"})
    assert (await server.try_get("mallory", room_id, "messages", dir="b")).status == 403


async def test_messages_of_ignored_users_are_left_out(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await talk(server, room_id, 1, "bob")
    hidden = await server.say("bob", room_id, "hidden")
    middle = await server.say("alice", room_id, "middle")
    ignored: dict[str, Any] = {"ignored_users": {"@bob:test": {}, "@alice:test": {}}}
    await server.ok("PUT", "/user/@alice:test/account_data/m.ignored_user_list", ignored, token="alice")
    page = await server.get("alice", room_id, "messages", dir="b", limit=50)
    assert bodies(page["chunk"]) == ["middle"]
    assert "@bob:test" in [event.get("state_key") for event in page["chunk"]]
    context = await server.get("alice", room_id, f"context/{middle}", limit=4)
    assert hidden not in [event["event_id"] for event in context["events_before"]]


async def test_limits(server: Readers) -> None:
    room_id = await server.found_room()
    await talk(server, room_id, 12)
    assert len((await server.get("alice", room_id, "messages", dir="b"))["chunk"]) == 10
    nothing = await server.get("alice", room_id, "messages", dir="b", limit=0)
    assert nothing["chunk"] == []
    assert len(await server.bodies("alice", room_id, from_=nothing["end"])) == 12
    assert len((await server.get("alice", room_id, "messages", dir="b", limit=10**9))["chunk"]) == 15


async def test_a_page_costs_two_queries_and_three_with_members(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await talk(server, room_id, 5, "bob")
    await server.redact("bob", room_id, await server.say("bob", room_id, "oops", transaction="t"))
    token = (await server.sync("alice"))["next_batch"]
    await server.rooms.hosts.of(room_id)  # asked once, then followed
    await server.quiet()
    server.queries.clear()
    await server.get("alice", room_id, "messages", dir="b", from_=token)
    assert len(server.queries) == 2
    await server.quiet()
    server.queries.clear()
    chosen = json.dumps({"lazy_load_members": True})
    page = await server.get("alice", room_id, "messages", dir="b", from_=token, filter=chosen)
    assert len(server.queries) == 3
    assert len(page["state"]) == 2
