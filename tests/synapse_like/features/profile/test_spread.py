"""How rooms hear of a new name: each once, the newest last, and also after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from synapse_like.features.membership import MemberProfile
from synapse_like.features.profile.spread import ProfileSpread
from synapse_like.matrix.errors import Forbidden
from synapse_like.rooms.families import USER
from synapse_like.toolkit.db import Transaction
from tests.kit.homeserver import settings
from tests.synapse_like.features.people import People, people, start

__all__ = ["people"]

ANN = "/profile/@ann:test"


async def rename(people: People, name: str) -> None:
    await people.ok("PUT", ANN + "/displayname", {"displayname": name}, token="ann")


async def names(people: People, room_id: str) -> list[str | None]:
    """The names that the room has been told of ann, oldest first."""

    def read(transaction: Transaction) -> list[str]:
        return [
            row[0]
            for row in transaction.all(
                "SELECT e.json FROM events e JOIN rooms r ON r.room_nid = e.room_nid"
                " WHERE r.room_id = :room_id AND e.sender = '@ann:test' AND e.type = 'm.room.member' ORDER BY e.number",
                room_id=room_id,
            )
        ]

    rows = await people.homeserver.kit.database.read(read)
    return [json.loads(row)["content"].get("displayname") for row in rows]


async def pending(people: People) -> list[str]:
    """The users whose rooms have not all been told."""
    rows = await people.homeserver.kit.database.read(lambda txn: txn.all("SELECT user_id FROM profile_intents"))
    return [row[0] for row in rows]


async def test_every_joined_room_is_told_once(people: People) -> None:
    await people.register("ann")
    rooms = [await people.found_room("ben") for _ in range(4)]
    for room_id in rooms:
        await people.enter("ann", room_id)
    await people.leave("ann", rooms[3])
    since = (await people.sync("ben"))["next_batch"]
    await rename(people, "Ann")
    await people.spread.idle()
    for room_id in rooms[:3]:
        assert await names(people, room_id) == ["ann", "Ann"]
    assert await names(people, rooms[3]) == ["ann", None]
    assert await pending(people) == []
    told = (await people.sync("ben", since))["rooms"]["join"]
    assert set(told) == set(rooms[:3])
    content = told[rooms[0]]["timeline"]["events"][-1]["content"]
    assert content == {"membership": "join", "displayname": "Ann"}


async def test_avatars_are_told_and_other_fields_are_not(people: People) -> None:
    await people.register("ann")
    room_id = await people.found_room("ben")
    await people.enter("ann", room_id)
    await people.ok("PUT", ANN + "/m.tz", {"m.tz": "UTC"}, token="ann")
    await rename(people, "ann")
    await people.spread.idle()
    assert len(await names(people, room_id)) == 1
    await people.ok("PUT", ANN + "/avatar_url", {"avatar_url": "mxc://test/a"}, token="ann")
    await people.ok("DELETE", ANN + "/displayname", token="ann")
    await people.spread.idle()
    member = (await people.rooms.live.get(room_id)).members["@ann:test"]
    assert (member.display_name, member.avatar_url) == (None, "mxc://test/a")


async def test_only_the_newest_of_many_names_is_told_for_sure(people: People) -> None:
    await people.register("ann")
    rooms = [await people.found_room("ben") for _ in range(3)]
    for room_id in rooms:
        await people.enter("ann", room_id)
    for number in range(10):
        await rename(people, f"Ann {number}")
    await people.spread.idle()
    told = [await names(people, room_id) for room_id in rooms]
    assert [each[-1] for each in told] == ["Ann 9"] * 3
    assert all(len(each) == len(set(each)) for each in told)
    assert await pending(people) == []


async def test_a_room_joined_meanwhile_knows_the_new_name(people: People) -> None:
    await people.register("ann")
    old, new = await people.found_room("ben"), await people.found_room("ben")
    await people.enter("ann", old)
    await rename(people, "Ann")
    await people.enter("ann", new)
    await people.spread.idle()
    assert await names(people, old) == ["ann", "Ann"]
    assert await names(people, new) == ["Ann"]


async def test_a_restart_goes_on(tmp_path: Path) -> None:
    settings("sqlite", tmp_path, {})
    people = await start(tmp_path / "homeserver.yaml")
    await people.register("ann")
    rooms = [await people.found_room("ben") for _ in range(3)]
    for room_id in rooms:
        await people.enter("ann", room_id)
    await people.spread.gave(USER, range(USER.shards))
    await rename(people, "Ann")
    assert await pending(people) == ["@ann:test"]
    await people.homeserver.stop()

    people = await start(tmp_path / "homeserver.yaml")
    await people.spread.idle()
    assert [(await names(people, room_id))[-1] for room_id in rooms] == ["Ann"] * 3
    assert await pending(people) == []
    await people.homeserver.stop()


class Rooms:
    """Rooms that refuse, fail or wait when they are told a name."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failures: list[Exception] = []
        self.gate: Deferred[None] | None = None

    async def announce(self, user_id: str, room_id: str, _profile: MemberProfile) -> None:
        self.told.append(room_id)
        if self.gate is not None:
            await self.gate
        if self.failures:
            raise self.failures.pop(0)


async def spread_over(people: People, rooms: Rooms) -> ProfileSpread:
    """A spread of its own, with the server's intents."""
    await people.spread.gave(USER, range(USER.shards))
    kit = people.homeserver.kit
    log = people.homeserver.spine.rooms.user_log
    return ProfileSpread(kit.database, log, kit.clock, kit.randomness, rooms.announce)


async def _renamed_in(people: People, count: int) -> list[str]:
    await people.register("ann")
    rooms = sorted([await people.found_room("ben") for _ in range(count)])
    for room_id in rooms:
        await people.enter("ann", room_id)
    return rooms


async def test_a_room_that_refuses_is_passed_over(people: People) -> None:
    rooms, fakes = await _renamed_in(people, 3), Rooms()
    spread = await spread_over(people, fakes)
    await rename(people, "Ann")
    fakes.failures = [Forbidden()]
    await spread.took(USER, range(USER.shards))
    await spread.idle()
    assert fakes.told == rooms
    assert await pending(people) == []


async def test_a_failure_is_tried_again(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_like.features.profile.spread.FIRST_PAUSE_SECONDS", 0.001)
    rooms, fakes = await _renamed_in(people, 2), Rooms()
    spread = await spread_over(people, fakes)
    await rename(people, "Ann")
    fakes.failures = [RuntimeError("a broken pipe"), RuntimeError("another")]
    await spread.took(USER, range(USER.shards))
    await spread.idle()
    assert fakes.told == [rooms[0], rooms[0], *rooms]
    assert await pending(people) == []


async def test_a_stop_ends_a_pause_and_keeps_the_intent(people: People) -> None:
    _, fakes = await _renamed_in(people, 2), Rooms()
    spread = await spread_over(people, fakes)
    await rename(people, "Ann")
    fakes.failures = [RuntimeError("a broken pipe")]
    await spread.took(USER, range(USER.shards))
    await people.until(lambda: not fakes.failures)
    await spread.gave(USER, range(USER.shards))
    assert len(fakes.told) == 1
    assert await pending(people) == ["@ann:test"]


async def test_a_newer_change_begins_the_round_anew(people: People) -> None:
    rooms, fakes = await _renamed_in(people, 3), Rooms()
    spread = await spread_over(people, fakes)
    await rename(people, "Ann")
    gate = fakes.gate = Deferred()
    await spread.took(USER, range(USER.shards))
    await people.until(lambda: bool(fakes.told))
    spread.begin("@ann:test")
    fakes.gate = None
    gate.callback(None)
    await spread.idle()
    assert fakes.told == [rooms[0], *rooms]
    assert await pending(people) == []


async def test_users_do_not_wait_for_each_other(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_like.features.profile.spread.USERS_AT_ONCE", 2)
    fakes, users = Rooms(), ["ann", "bea", "cid"]
    room_id = await people.found_room("ben")
    for user in users:
        await people.register(user)
        await people.enter(user, room_id)
    spread = await spread_over(people, fakes)
    for user in users:
        body: dict[str, Any] = {"displayname": user.upper()}
        await people.ok("PUT", f"/profile/@{user}:test/displayname", body, token=user)
    gate = fakes.gate = Deferred()
    await spread.took(USER, range(USER.shards))
    await people.until(lambda: len(fakes.told) == 2)
    gate.callback(None)
    await spread.idle()
    assert len(fakes.told) == 3
    assert await pending(people) == []
