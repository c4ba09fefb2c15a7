"""Which servers are in a room: as loaded, as followed, and in the past."""

from synapse_like.rooms.facts import StateRef
from synapse_like.rooms.hosts import RoomHosts
from synapse_like.toolkit.db import Database
from tests.kit.spine import ALICE, BOB, caught_up, found_room, remote_event, started, state
from tests.synapse_like.rooms.test_forks import auth_for, bob_joins


async def test_hosts_follow_the_members_of_a_room(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    room_id = await found_room(rooms)
    assert await rooms.hosts.of(room_id) == {"here": 1}
    join = await bob_joins(rooms, room_id)
    await caught_up(spine)
    assert await rooms.hosts.of(room_id) == {"here": 1, "there": 1}
    assert await rooms.hosts.has(room_id, "there")
    live = await rooms.live.get(room_id)
    gone = state(BOB, "m.room.member", {"membership": "leave"}, BOB)
    left = await remote_event(rooms, room_id, gone, [join], auth_for(live, join))
    await rooms.reception.receive(room_id, [left])
    await caught_up(spine)
    assert await rooms.hosts.of(room_id) == {"here": 1} == await RoomHosts(database).of(room_id)
    stored = await rooms.events.get([join.event_id, left.event_id])
    nid = live.identity.room_nid
    assert await rooms.hosts.at(nid, stored[join.event_id].before) == {"here"}
    assert await rooms.hosts.at(nid, stored[left.event_id].before) == {"here", "there"}
    assert await rooms.hosts.at(nid, StateRef(0, live.head.trunk_version)) == {"here"}
    await spine.stop()


async def test_an_unknown_room_has_no_hosts_until_it_is_known(database: Database) -> None:
    spine = await started(database)
    rooms = spine.rooms
    assert await rooms.hosts.of("!room6:here") == {}
    await found_room(rooms, "6")
    assert await rooms.hosts.of("!room6:here") == {"here": 1}
    await rooms.creation.send("!room6:here", state(ALICE, "m.room.member", {"membership": "leave"}, ALICE))
    await caught_up(spine)
    assert await rooms.hosts.of("!room6:here") == {}
    await spine.stop()
