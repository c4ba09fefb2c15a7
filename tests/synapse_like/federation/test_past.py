"""The past that another server has: fetched when somebody pages back to it, with the state that held then."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.federation.inbound import Staging
from synapse_like.rooms.facts import Kind
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.synapse_like.federation.test_inbound import room_with

__all__ = ["pair"]

VERSIONS = ["1", "6", "11", "12"]


async def pages(server: TestServer, token: str, room_id: str, limit: int = 20) -> list[Any]:
    """All events of a room, newest first, as paging back shows them."""
    found: list[Any] = []
    query: dict[str, Any] = {"dir": "b", "limit": limit}
    while True:
        page = await server.ok("GET", f"/rooms/{quote(room_id)}/messages", token=token, query=query)
        found += page["chunk"]
        if "end" not in page:
            return found
        query["from"] = page["end"]


async def joined(pair: Pair, version: str = "12", texts: int = 60, **options: Any) -> tuple[str, str, str]:
    """A room of Alice's on `one` with some past, which Bob on `two` has just joined: room id and tokens."""
    one, two = pair.servers["one"], pair.servers["two"]
    alice, bob = await one.register("alice"), await two.register("bob")
    room_id = await one.create_room(alice, preset="public_chat", room_version=version, **options)
    for number in range(texts):
        await one.send(alice, room_id, str(number))
        if number % 20 == 10:
            path = f"/rooms/{quote(room_id)}/state/m.room.topic"
            await one.ok("PUT", path, {"topic": str(number)}, token=alice)
    await two.ok("POST", f"/join/{quote(room_id)}", {}, token=bob, query={"via": "one"})
    await pair.settled()
    return room_id, alice, bob


@pytest.mark.parametrize("version", VERSIONS)
async def test_paging_back_to_the_beginning(pair: Pair, version: str) -> None:
    room_id, alice, bob = await joined(pair, version)
    one, two = pair.servers["one"], pair.servers["two"]
    ours, theirs = await pages(one, alice, room_id), await pages(two, bob, room_id)
    assert [event["event_id"] for event in theirs] == [event["event_id"] for event in ours]
    assert theirs[-1]["type"] == "m.room.create"
    requests = len(pair.net.requests)
    assert [event["event_id"] for event in await pages(two, bob, room_id)] == [event["event_id"] for event in ours]
    assert len(pair.net.requests) == requests


async def test_the_state_of_then_belongs_to_the_past(pair: Pair) -> None:
    room_id, alice, bob = await joined(pair)
    one, two = pair.servers["one"], pair.servers["two"]
    await pages(two, bob, room_id)
    ours = await pages(one, alice, room_id)
    for event in (ours[5], ours[30], ours[50]):
        path = f"/rooms/{quote(room_id)}/context/{quote(event['event_id'])}"
        states = []
        for server, token in ((one, alice), (two, bob)):
            found = await server.ok("GET", path, token=token, query={"limit": 0})
            states.append({each["event_id"] for each in found["state"]})
        assert states[0] == states[1]


async def test_a_page_waits_for_nobody_who_is_dead(pair: Pair) -> None:
    room_id, alice, bob = await joined(pair, texts=3)
    two = pair.servers["two"]
    pair.net.cut.add("one")
    events = await pages(two, bob, room_id)
    assert [event["type"] for event in events] == ["m.room.member"]
    before = len(pair.net.requests)
    await pages(two, bob, room_id)
    assert len(pair.net.requests) == before  # not asked again at once
    assert alice


async def test_what_was_redacted_since_is_redacted_in_the_past(pair: Pair) -> None:
    one, two = pair.servers["one"], pair.servers["two"]
    alice, bob = await one.register("alice"), await two.register("bob")
    room_id = await one.create_room(alice, preset="public_chat")
    secret = await one.send(alice, room_id, "secret")
    for number in range(5):
        await one.send(alice, room_id, str(number))
    await two.ok("POST", f"/join/{quote(room_id)}", {}, token=bob, query={"via": "one"})
    await pair.settled()
    await one.ok("PUT", f"/rooms/{quote(room_id)}/redact/{quote(secret)}/r", {}, token=alice)
    await pair.settled()
    event = next(event for event in await pages(two, bob, room_id) if event["event_id"] == secret)
    assert event["content"] == {}
    assert event["unsigned"]["redacted_because"]["sender"] == "@alice:one"


@pytest.mark.parametrize(("visibility", "sees"), [("shared", True), ("joined", False), ("invited", False)])
async def test_the_past_is_shown_as_its_visibility_says(pair: Pair, visibility: str, sees: bool) -> None:
    state = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}
    room_id, _, bob = await joined(pair, texts=5, initial_state=[state])
    texts = [event for event in await pages(pair.servers["two"], bob, room_id) if event["type"] == "m.room.message"]
    assert len(texts) == (5 if sees else 0)


async def test_the_context_of_an_event_that_we_lack(pair: Pair) -> None:
    room_id, alice, bob = await joined(pair, texts=30)
    one, two = pair.servers["one"], pair.servers["two"]
    wanted = (await pages(one, alice, room_id))[20]
    found = await two.ok(
        "GET", f"/rooms/{quote(room_id)}/context/{quote(wanted['event_id'])}", token=bob, query={"limit": 10}
    )
    assert found["event"]["event_id"] == wanted["event_id"]
    assert found["events_before"]


async def test_an_event_by_its_time(pair: Pair) -> None:
    room_id, alice, bob = await joined(pair, texts=10)
    one, two = pair.servers["one"], pair.servers["two"]
    for event in (await pages(one, alice, room_id))[5:7]:
        query = {"ts": event["origin_server_ts"], "dir": "f"}
        path = f"/_matrix/client/v1/rooms/{quote(room_id)}/timestamp_to_event"
        found = await two.ok("GET", path, token=bob, query=query)
        assert found["origin_server_ts"] == event["origin_server_ts"]


async def test_a_past_that_cannot_be(pair: Pair) -> None:
    """Events that the state of then forbids are not shown, and neither is what belongs to another room."""
    one, stranger, room_id, alice = await room_with(pair)
    state = await stranger.learn(one, room_id)
    live = await one.rooms.live.get(room_id)
    forbidden = await stranger.event(
        one, room_id, "m.room.name", {"name": "mine"}, state_key="", prev_events=["$" + "n" * 43], depth=1
    )
    tip = await stranger.message(one, room_id, "tip", prev_events=[forbidden.reference], depth=2)
    stranger.states = {forbidden.event_id: state, tip.event_id: state}
    stranger.silent = {"/get_missing_events"}
    await stranger.send(one, [tip])
    await one.homeserver.front(Staging).idle()
    await pages(one, alice, room_id)
    stored = await one.rooms.events.get_one(forbidden.event_id)
    assert stored is None or stored.kind in (Kind.REJECTED, Kind.OUTLIER)
    assert live.state_event("m.room.name") is None
