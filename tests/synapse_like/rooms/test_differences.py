"""States that are compared by their differences to the trunk resolve as the full states do."""

import random

import pytest

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import TRUNK, Kind, StateRef
from synapse_like.rooms.points import Altered, Changes, State, StateMap, StatePoint
from synapse_like.rooms.resolution import Resolver
from synapse_like.toolkit.db import Database, Transaction
from tests.kit.spine import BOB, found_room, remote_event, started, state, state_map
from tests.synapse_like.rooms.test_forks import auth_for, bob_joins

EVENTS = 25
QUESTIONS = 40
KEYS = ["a", "b", "c"]


def changed(trunk: StateMap, changes: Changes) -> StateMap:
    found: dict[tuple[str, str], str | None] = {**trunk, **changes}
    return {key: event_id for key, event_id in found.items() if event_id is not None}


@pytest.mark.parametrize("version", ["1", "6", "12"])
async def test_merged_states_are_those_of_the_full_maps(database: Database, version: str) -> None:
    choice = random.Random(version)
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms, version, users={BOB: 50})
    join = await bob_joins(rooms, room_id)
    live = await rooms.live.get(room_id)
    events: list[Event] = [join]
    for number in range(EVENTS):
        prev = choice.sample(events, min(len(events), choice.choice([1, 1, 1, 2, 3])))
        draft = state(BOB, "org.example", {"n": number}, choice.choice(KEYS))
        events.append(await remote_event(rooms, room_id, draft, prev, auth_for(live, join)))
        assert await rooms.reception.receive(room_id, events[-1:]) == [Kind.LIVE]
    live = await rooms.live.get(room_id)
    nid, newest = live.identity.room_nid, live.head.trunk_version
    stored = (await rooms.events.get([event.event_id for event in events])).values()
    states: list[State] = [StatePoint(each.before, each.event.key, each.event_id) for each in stored]
    states += [StatePoint(each.before) for each in stored]
    states += [StatePoint(StateRef(TRUNK, at)) for at in range(newest + 1)]
    states += [
        Altered(at, {("org.example", "a"): None, ("org.example", "x"): events[3].event_id}) for at in (1, newest)
    ]
    resolver = Resolver(rooms.events)

    def full(transaction: Transaction, each: State) -> StateMap:
        if isinstance(each, Altered):
            return changed(state_map(transaction, nid, StateRef(TRUNK, each.base)), each.changes)
        assert isinstance(each, StatePoint)
        found = state_map(transaction, nid, each.ref)
        return found if each.key is None or each.event_id is None else {**found, each.key: each.event_id}

    def compare(transaction: Transaction) -> None:
        for _ in range(QUESTIONS):
            base = choice.randint(1, newest)
            asked = choice.sample(states, choice.randint(1, 5))
            trunk = state_map(transaction, nid, StateRef(TRUNK, base))
            maps = [full(transaction, each) for each in asked]
            merged = resolver.merged(transaction, live.identity, base, asked)
            assert [changed(trunk, each) for each in merged.each] == maps
            assert changed(trunk, merged.changes) == Resolver(rooms.events).resolved(
                transaction, live.identity.version, maps
            )
            assert all(trunk.get(key) != event_id for key, event_id in merged.changes.items())

    def nothing(transaction: Transaction) -> None:
        trunk = state_map(transaction, nid, StateRef(TRUNK, newest))
        merged = resolver.merged(transaction, live.identity, newest, [])
        assert (changed(trunk, merged.changes), list(merged.each)) == ({}, [])

    await database.read(compare)
    await database.read(nothing)
    await spine.stop()
