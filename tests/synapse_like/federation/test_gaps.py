"""Events that do not follow on what we have: fetched, or staged until they can be; and servers that lead us astray."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.federation.inbound import Staging, gaps
from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Kind
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.stranger import Stranger
from tests.synapse_like.federation.test_inbound import kind_of, room_with, shown

__all__ = ["pair"]

VERSIONS = ["1", "6", "11", "12"]


async def idle(server: TestServer) -> None:
    """Wait until nothing is staged."""
    await server.homeserver.front(Staging).idle()


@pytest.mark.parametrize("version", VERSIONS)
async def test_missing_events_are_asked_of_the_origin(pair: Pair, version: str) -> None:
    one, stranger, room_id, alice = await room_with(pair, version)
    events = await stranger.chain(one, room_id, 8)
    assert await stranger.send(one, events[-1:]) == {events[-1].event_id: {}}
    await idle(one)
    assert await shown(one, room_id, alice) == [str(number) for number in range(8)]
    assert [asked.partition("/v1/")[2].partition("/")[0] for asked in stranger.asked] == ["get_missing_events"]
    live = await one.rooms.live.get(room_id)
    assert [extremity.event_id for extremity in live.head.extremities] == [events[-1].event_id]


@pytest.mark.parametrize("is_whole", [False, True], ids=["by ids", "as a whole"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_large_gap_is_crossed_by_the_state_behind_it(
    pair: Pair, version: str, is_whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_whole:
        monkeypatch.setattr(gaps, "SINGLE_EVENTS", 0)
    one, stranger, room_id, alice = await room_with(pair, version)
    state = await stranger.learn(one, room_id)
    events = await stranger.chain(one, room_id, 40)
    last = events[-1]
    topic = await stranger.event(
        one,
        room_id,
        "m.room.member",
        {"membership": "join", "displayname": "In the gap"},
        state_key=stranger.user_id,
        prev_events=[last.reference],
        depth=last.depth + 1,
    )
    more = {"prev_events": [topic.reference], "depth": topic.depth + 1}
    newest = [await stranger.message(one, room_id, "0", **more)]
    for number in range(1, 25):
        more = {"prev_events": [newest[-1].reference], "depth": newest[-1].depth + 1}
        newest.append(await stranger.message(one, room_id, str(number), **more))
    stranger.states = {each.event_id: state for each in (*events, topic)}
    after = [event for event in state if event.key != topic.key] + [topic]
    stranger.states |= {each.event_id: after for each in newest}
    await stranger.send(one, newest[-1:])
    await idle(one)
    assert any("/state/" in asked for asked in stranger.asked) is is_whole
    assert await kind_of(one, newest[-1]) is Kind.LIVE
    assert await kind_of(one, events[0]) is None
    live = await one.rooms.live.get(room_id)
    await one.rooms.live.add_members(live, [stranger.user_id])
    assert live.members[stranger.user_id].display_name == "In the gap"
    assert await one.send(alice, room_id, "on we go")
    one.rooms.live.drop_all()
    following = await stranger.message(one, room_id, "and on")
    assert await stranger.send(one, [following]) == {following.event_id: {}}
    assert (await shown(one, room_id, alice))[-2:] == ["on we go", "and on"]


async def test_what_was_before_our_join_may_be_told_as_missing(pair: Pair) -> None:
    """Among what leads to an event there may be the create event, which has no predecessors."""
    two = await pair.start("four")
    stranger, bob = Stranger(pair), await two.register("bob")
    one = pair.servers["one"]
    alice = await one.register("alice")
    room_id = await one.create_room(alice, preset="public_chat", room_version="1")
    await two.ok("POST", f"/join/{quote(room_id)}", {}, token=bob, query={"via": "one"})
    await stranger.join(two, room_id)
    state = await stranger.learn(two, room_id)
    create = next(event for event in state if event.is_create)
    events = await stranger.chain(two, room_id, 3)
    pair.net.own["three"] = lambda method, target, body: (
        {"events": [create.pdu, *(event.pdu for event in events[:2])]} if "missing" in target else {"pdus": {}}
    )
    await two.rooms.hosts.of(room_id)
    await stranger.send(two, events[2:])
    await idle(two)
    assert [await kind_of(two, event) for event in events] == [Kind.LIVE] * 3
    assert set(await two.rooms.hosts.of(room_id)) == {"one", "three", "four"}, "the room has not begun again"


async def test_auth_events_that_we_lack_are_fetched(pair: Pair) -> None:
    one, stranger, room_id, _alice = await room_with(pair)
    await stranger.learn(one, room_id)
    renamed = await stranger.event(
        one, room_id, "m.room.member", {"membership": "join", "displayname": "Y"}, state_key=stranger.user_id
    )
    base = await stranger.draft(one, room_id, "m.room.message", {"msgtype": "m.text", "body": "hi"})
    live = await one.rooms.live.get(room_id)
    levels = live.state_event("m.room.power_levels")
    assert levels is not None
    base |= {"auth_events": [levels.event_id, renamed.event_id], "depth": base["depth"] + 1}
    event = Event.from_pdu(stranger.sign(base, live.identity.version), live.identity.version)
    stranger.known[event.event_id] = event
    await stranger.send(one, [event])
    await idle(one)
    assert await kind_of(one, renamed) is Kind.OUTLIER
    assert await kind_of(one, event) in (Kind.LIVE, Kind.SOFT_FAILED)
    await stranger.send(one, [renamed])
    assert await kind_of(one, renamed) is Kind.LIVE


async def test_what_waits_survives_a_restart(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    events = await stranger.chain(one, room_id, 3)
    hidden = stranger.known.pop(events[1].event_id)
    stranger.silent = {"/get_missing_events"}
    assert await stranger.send(one, events[2:]) == {events[2].event_id: {}}
    pair.net.cut.add("three")
    await one.homeserver.stop()
    pair.net.cut.clear()
    stranger.silent.clear()
    stranger.known[hidden.event_id] = hidden
    again = await pair.start_again("one")
    await idle(again)
    assert await shown(again, room_id, alice) == ["0", "1", "2"]
    rows = await again.homeserver.kit.database.read(lambda txn: txn.all("SELECT event_id FROM federation_staged"))
    assert rows == []


async def test_what_cannot_be_fetched_is_given_up_and_holds_nobody_back(pair: Pair, monkeypatch: Any) -> None:
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    one, stranger, room_id, alice = await room_with(pair)
    events = await stranger.chain(one, room_id, 2)
    stranger.known.clear()
    await stranger.send(one, events[1:])
    await idle(one)
    assert await kind_of(one, events[1]) is None
    good = await stranger.message(one, room_id, "good")
    await stranger.send(one, [good])
    assert await shown(one, room_id, alice) == ["good"]


async def test_chains_that_never_end_are_bounded(pair: Pair, monkeypatch: Any) -> None:
    """A server that leads from event to event is asked a few dozen times, and no more."""
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    one, stranger, room_id, _alice = await room_with(pair)
    state = await stranger.learn(one, room_id)
    events = await stranger.chain(one, room_id, 200)
    for index, event in enumerate(events[1:], 1):
        stranger.states[event.event_id] = [*state, events[index - 1]]
    await stranger.send(one, events[-1:])
    await idle(one)
    assert len(stranger.asked) <= 3 * (1 + gaps.MOST_STATES * 4)


async def test_events_that_refer_to_each_other(pair: Pair, monkeypatch: Any) -> None:
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    one, stranger, room_id, alice = await room_with(pair, "1")
    live = await one.rooms.live.get(room_id)
    version = live.identity.version
    ids = ["$a:three", "$b:three"]
    pdus = []
    for own, other in (ids, ids[::-1]):
        base = await stranger.draft(one, room_id, "m.room.message", {"body": own}, event_id=own)
        base["prev_events"] = [[other, {"sha256": "x"}]]
        base["auth_events"] = [*base["auth_events"], [other, {"sha256": "x"}]]
        pdus.append(stranger.sign(base, version))
    for pdu in pdus:
        stranger.known[pdu["event_id"]] = Event.from_pdu(pdu, version)
    await stranger.send(one, pdus)
    await idle(one)
    assert [await one.rooms.events.get_one(event_id) for event_id in ids] == [None, None]
    good = await stranger.message(one, room_id, "good")
    await stranger.send(one, [good])
    assert await shown(one, room_id, alice) == ["good"]


@pytest.mark.parametrize("garbage", [None, 7, [], {}, {"pdu_ids": 5, "auth_chain_ids": {}}, {"events": [1, {}, None]}])
async def test_garbage_for_an_answer(pair: Pair, monkeypatch: Any, garbage: Any) -> None:
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    one, stranger, room_id, _alice = await room_with(pair)
    events = await stranger.chain(one, room_id, 3)
    pair.net.own["three"] = lambda method, target, body: garbage
    await stranger.send(one, events[2:])
    await idle(one)
    assert await kind_of(one, events[2]) is None


async def test_events_of_another_room_as_predecessors(pair: Pair, monkeypatch: Any) -> None:
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    one, stranger, room_id, alice = await room_with(pair)
    other = await one.create_room(alice, preset="public_chat")
    await stranger.join(one, other)
    elsewhere = await stranger.message(one, other, "elsewhere")
    await stranger.send(one, [elsewhere])
    crossed = await stranger.message(one, room_id, "crossed", prev_events=[elsewhere.reference])
    await stranger.send(one, [crossed])
    await idle(one)
    assert await kind_of(one, crossed) is None
    assert await shown(one, room_id, alice) == []


async def test_an_id_that_is_taken_by_another_room(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair, "1")
    other = await one.create_room(alice, preset="public_chat", room_version="1")
    await stranger.join(one, other)
    first = await stranger.message(one, room_id, "first")
    second = await stranger.message(one, other, "second", event_id=first.event_id)
    await stranger.send(one, [first])
    await stranger.send(one, [second])
    assert await shown(one, room_id, alice) == ["first"]
    assert await shown(one, other, alice) == []
    third = await stranger.message(one, other, "third")
    await stranger.send(one, [third])
    assert await shown(one, other, alice) == ["third"]
