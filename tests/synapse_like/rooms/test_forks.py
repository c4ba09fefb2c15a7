"""Events from elsewhere: forks, merges, conflicting state, refusals; on both databases, in old and new versions."""

import pytest

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Kind, StateRef
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.receiving import MissingEvents
from synapse_like.toolkit.db import Database
from tests.kit.spine import ALICE, BOB, found_room, message, remote_event, started, state, state_map

VERSIONS = ["1", "6", "11", "12"]


async def event(rooms: Rooms, event_id: str) -> Event:
    stored = await rooms.events.get_one(event_id)
    assert stored is not None
    return stored.event


async def bob_joins(rooms: Rooms, room_id: str) -> Event:
    live = await rooms.live.get(room_id)
    tip = await event(rooms, live.head.extremities[0].event_id)
    auth = auth_of(live, [] if live.identity.version.domainless_room_id else ["m.room.create"])
    join = await remote_event(rooms, room_id, state(BOB, "m.room.member", {"membership": "join"}, BOB), [tip], auth)
    assert await rooms.reception.receive(room_id, [join]) == [Kind.LIVE]
    return join


def auth_of(live, more):
    kinds = ["m.room.power_levels", "m.room.join_rules", *more]
    return [found for kind in kinds if (found := live.state_event(kind)) is not None]


def auth_for(live, join):
    more = [] if live.identity.version.domainless_room_id else ["m.room.create"]
    return [e for e in auth_of(live, more) if e.type != "m.room.join_rules"] + [join]


async def current(database: Database, room_nid: int, version: int):
    return await database.read(lambda txn: state_map(txn, room_nid, StateRef(0, version)))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_remote_event_extends_the_room(database: Database, version: str) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms, version)
    join = await bob_joins(rooms, room_id)
    live = await rooms.live.get(room_id)
    assert [e.event_id for e in live.head.extremities] == [join.event_id]
    assert live.head.joined_members == 2
    sent = await rooms.creation.send(room_id, message(ALICE, "welcome"))
    assert (await event(rooms, sent)).prev_event_ids == (join.event_id,)
    await spine.stop()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_fork_is_merged_by_the_next_event(database: Database, version: str) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms, version, users={BOB: 50})
    join = await bob_joins(rooms, room_id)
    named = await rooms.creation.send(room_id, state(ALICE, "m.room.name", {"name": "ours"}))
    live = await rooms.live.get(room_id)
    fork = [
        await remote_event(
            rooms, room_id, state(BOB, "m.room.topic", {"topic": "theirs"}), [join], auth_for(live, join)
        ),
    ]
    fork.append(await remote_event(rooms, room_id, message(BOB, "hi"), [fork[0]], auth_for(live, join)))
    assert await rooms.reception.receive(room_id, fork) == [Kind.LIVE, Kind.LIVE]
    live = await rooms.live.get(room_id)
    assert {e.event_id for e in live.head.extremities} == {named, fork[1].event_id}
    assert live.state["m.room.name", ""].event.content == {"name": "ours"}
    assert live.state["m.room.topic", ""].event.content == {"topic": "theirs"}
    sent = await rooms.creation.send(room_id, message(ALICE, "merged"))
    assert set((await event(rooms, sent)).prev_event_ids) == {named, fork[1].event_id}
    state_now = await current(database, live.identity.room_nid, live.head.trunk_version)
    assert state_now["m.room.topic", ""] == fork[0].event_id
    rooms.live.drop_all()
    again = await rooms.live.get(room_id)
    assert again.head == live.head
    assert {key: s.event.event_id for key, s in again.state.items()} == {
        key: s.event.event_id for key, s in live.state.items()
    }
    await spine.stop()


@pytest.mark.parametrize("version", VERSIONS)
async def test_conflicting_names_resolve_alike_after_a_reload(database: Database, version: str) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms, version, users={BOB: 50})
    join = await bob_joins(rooms, room_id)
    ours = await rooms.creation.send(room_id, state(ALICE, "m.room.name", {"name": "ours"}))
    live = await rooms.live.get(room_id)
    theirs = await remote_event(
        rooms, room_id, state(BOB, "m.room.name", {"name": "theirs"}), [join], auth_for(live, join)
    )
    await rooms.reception.receive(room_id, [theirs])
    winner = (await rooms.live.get(room_id)).state["m.room.name", ""].event.event_id
    assert winner in (ours, theirs.event_id)
    rooms.live.drop_all()
    assert (await rooms.live.get(room_id)).state["m.room.name", ""].event.event_id == winner
    await spine.stop()


async def test_what_the_rules_refuse_is_rejected_and_moves_nothing(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms)
    join = await bob_joins(rooms, room_id)
    live = await rooms.live.get(room_id)
    head = live.head
    bad = await remote_event(rooms, room_id, state(BOB, "m.room.name", {"name": "mine"}), [join], auth_for(live, join))
    assert await rooms.reception.receive(room_id, [bad]) == [Kind.REJECTED]
    live = await rooms.live.get(room_id)
    assert live.head == head
    assert live.state_event("m.room.name") is None
    await spine.stop()


async def test_an_event_that_the_room_forbids_by_now_is_soft_failed(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms)
    join = await bob_joins(rooms, room_id)
    await rooms.creation.send(room_id, state(ALICE, "m.room.member", {"membership": "ban"}, BOB))
    live = await rooms.live.get(room_id)
    late = await remote_event(rooms, room_id, message(BOB, "still here"), [join], auth_for(live, join))
    head = live.head
    assert await rooms.reception.receive(room_id, [late]) == [Kind.SOFT_FAILED]
    assert (await rooms.live.get(room_id)).head == head
    await spine.stop()


async def test_unknown_predecessors_are_named(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms)
    join = await bob_joins(rooms, room_id)
    live = await rooms.live.get(room_id)
    lost = await remote_event(rooms, room_id, message(BOB, "lost"), [join], auth_for(live, join))
    child = await remote_event(rooms, room_id, message(BOB, "child"), [lost], auth_for(live, join))
    with pytest.raises(MissingEvents) as missing:
        await rooms.reception.receive(room_id, [child])
    assert missing.value.event_ids == {lost.event_id}
    assert await rooms.reception.receive(room_id, [lost, child, lost]) == [Kind.LIVE] * 3
    await spine.stop()
