"""Two of our servers: users of the one join rooms of the other, and both see the same room."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.matrix.room_versions import ROOM_VERSIONS
from tests.kit.pair import Pair, pair

__all__ = ["pair"]

VERSIONS = ["1", "2", "3", "6", "10", "11", "12"]


async def state_of(server: Any, room_id: str) -> dict[tuple[str, str], str]:
    """The whole current state as the server's clients see it."""
    live = await server.rooms.live.get(room_id)
    members = await server.rooms.memberships.members_of(room_id, ("join", "invite", "knock", "leave", "ban"))
    state = {key: found.event.event_id for key, found in live.state.items()}
    return state | {("m.room.member", member.user_id): member.event_id for member in members}


@pytest.mark.parametrize("version", VERSIONS)
async def test_join_and_talk(pair: Pair, version: str) -> None:
    one, two = pair.servers["one"], pair.servers["two"]
    alice, bob = await one.register("alice"), await two.register("bob")
    room_id = await one.create_room(alice, preset="public_chat", room_version=version, name="A room")
    await one.send(alice, room_id, "before")
    joined = await two.ok("POST", f"/join/{quote(room_id)}", {}, token=bob, query={"via": "one"})
    assert joined == {"room_id": room_id}
    await pair.settled()
    synced = await two.sync(bob)
    room = synced["rooms"]["join"][room_id]
    events = [*room["state"]["events"], *room["timeline"]["events"]]
    assert {"name": "A room"} in [event["content"] for event in events]
    hello = await one.send(alice, room_id, "hello bob")
    await pair.settled()
    answer = await two.send(bob, room_id, "hello alice")
    await pair.settled()
    for server, token in ((one, alice), (two, bob)):
        page = await server.ok("GET", f"/rooms/{quote(room_id)}/messages", token=token, query={"dir": "b"})
        ids = [event["event_id"] for event in page["chunk"]]
        assert ids[:2] == [answer, hello]
    assert await state_of(one, room_id) == await state_of(two, room_id)


def test_all_versions_are_spoken() -> None:
    assert set(VERSIONS) <= set(ROOM_VERSIONS)
