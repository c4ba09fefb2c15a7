"""State at any point of a room with forks, against a naive reading; on both databases."""

from functools import partial
from itertools import product

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Kind, StateRef
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.points import StateMap
from synapse_like.rooms.state_history import (
    NOW,
    Part,
    difference,
    event_at,
    events_at,
    events_of_keys,
    state_after,
    state_at,
)
from synapse_like.toolkit.db import Database, Transaction
from tests.kit.spine import ALICE, BOB, found_room, message, remote_event, started, state, state_map


async def event(rooms: Rooms, event_id: str) -> Event:
    stored = await rooms.events.get_one(event_id)
    assert stored is not None
    return stored.event


async def forked_room(rooms: Rooms) -> tuple[str, list[str]]:
    """A room in which Bob's server sets state on an old branch while Alice sets other state; the ids of all that."""
    room_id = await found_room(rooms, users={BOB: 50})
    live = await rooms.live.get(room_id)
    tip = await event(rooms, live.head.extremities[0].event_id)
    rules = [e for kind in ("m.room.power_levels", "m.room.join_rules") if (e := live.state_event(kind))]
    join = await remote_event(rooms, room_id, state(BOB, "m.room.member", {"membership": "join"}, BOB), [tip], rules)
    await rooms.reception.receive(room_id, [join])
    ids = [join.event_id, await rooms.creation.send(room_id, state(ALICE, "m.room.name", {"name": "ours"}))]
    ids.append(await rooms.creation.send(room_id, message(ALICE, "hi")))
    prev = join
    drafts = [
        state(BOB, "m.room.topic", {"topic": "theirs"}),
        state(BOB, "m.room.name", {"name": "theirs"}),
        message(BOB, "hi"),
        state(BOB, "org.example", {"a": 1}, "key"),
    ]
    for draft in drafts:
        prev = await remote_event(rooms, room_id, draft, [prev], [rules[0], join])
        assert await rooms.reception.receive(room_id, [prev]) == [Kind.LIVE]
        ids.append(prev.event_id)
    ids.append(await rooms.creation.send(room_id, message(ALICE, "merged")))
    ids.append(await rooms.creation.send(room_id, state(ALICE, "m.room.topic", {"topic": "last"})))
    return room_id, ids


async def test_state_at_every_event_of_a_forked_room(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id, ids = await forked_room(rooms)
    nid = (await rooms.live.get(room_id)).identity.room_nid
    stored = await rooms.events.get(ids)
    refs = [stored[event_id].before for event_id in ids]
    assert any(ref.branch for ref in refs)

    def compare(txn: Transaction) -> None:
        naive: dict[StateRef, StateMap] = {ref: state_map(txn, nid, ref) for ref in refs}
        for ref, expected in naive.items():
            assert state_at(txn, nid, ref) == expected
            assert {e.event.key: e.event_id for e in events_at(txn, nid, ref)} == expected
            keys = [*expected, ("m.room.name", "nothing")]
            assert {key: e.event_id for key, e in events_of_keys(txn, nid, ref, keys).items()} == expected
        for old, new in product(naive, repeat=2):
            before, after = naive[old], naive[new]
            keys_of_both = before.keys() | after.keys()
            changed = {k: (before.get(k), after.get(k)) for k in keys_of_both if before.get(k) != after.get(k)}
            assert difference(txn, nid, old, new) == changed
        for event_id in ids:
            after_it = {e.event.key: e.event_id for e in state_after(txn, stored[event_id])}
            expected = dict(naive[stored[event_id].before])
            if stored[event_id].event.is_state:
                expected[stored[event_id].event.key] = event_id
            assert after_it == expected

    await database.read(compare)
    await spine.stop()


async def test_the_current_state_and_parts_of_it(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id, ids = await forked_room(rooms)
    live = await rooms.live.get(room_id)
    nid, version = live.identity.room_nid, live.head.trunk_version
    first = (await rooms.events.get(ids))[ids[0]]

    def compare(txn: Transaction) -> None:
        now = state_at(txn, nid, NOW)
        assert now == state_map(txn, nid, StateRef(0, version))
        assert now["m.room.topic", ""] == ids[-1]
        for ref in (NOW, StateRef(0, version)):
            members = {key for key in now if key[0] == "m.room.member"}
            assert set(state_at(txn, nid, ref, Part(has_others=False))) == members
            assert set(state_at(txn, nid, ref, Part(has_members=False))) == now.keys() - members
            some = state_at(txn, nid, ref, Part(has_members=False, users=[BOB]))
            assert set(some) == now.keys() - members | {("m.room.member", BOB)}
        found = event_at(txn, nid, NOW, ("m.room.topic", ""))
        assert found is not None
        assert found.event_id == ids[-1]
        assert event_at(txn, nid, NOW, ("m.room.topic", "other")) is None
        then = {e.event.key: e.event_id for e in events_at(txn, nid, NOW, upto=first.number)}
        assert then == state_map(txn, nid, StateRef(0, first.before.version + 1))

    await database.read(compare)
    await spine.stop()


async def test_each_question_is_one_query_and_one_more_for_events_that_are_not_in_memory(database: Database) -> None:
    spine = await started(database)
    room_id, ids = await forked_room(spine.rooms)
    nid = (await spine.rooms.live.get(room_id)).identity.room_nid
    stored = await spine.rooms.events.get(ids)
    branched = next(e.before for e in stored.values() if e.before.branch)
    keys = [("m.room.topic", ""), ("m.room.name", "")]
    queries: list[str] = []
    database.observers.append(queries.append)
    for ref in (NOW, StateRef(0, 3), branched):
        for question, most in ((state_at, 1), (partial(events_at, peek=spine.rooms.events.peek), 1), (events_at, 2)):
            queries.clear()
            await database.read(lambda txn, ask=question, at=ref: ask(txn, nid, at))  # type: ignore[misc]
            assert len(queries) == most
        queries.clear()
        await database.read(lambda txn, at=ref: events_of_keys(txn, nid, at, keys))  # type: ignore[misc]
        assert len(queries) == 1
    await spine.stop()
