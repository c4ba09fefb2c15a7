"""Unread counts equal what walking through the room's events and evaluating every member's rules gives."""

from typing import Any

import pytest

from synapse_like.features.unread import Unread
from tests.kit.caught_up import caught_up
from tests.kit.homeserver import TestServer
from tests.synapse_like.features.unread.busy_room import BusyRoom, Counts

FILTER = '{"room":{"timeline":{"unread_thread_notifications":true}}}'
STEPS = 60


def _of_section(room: Any) -> dict[str, Counts]:
    parts = {"main": room["unread_notifications"], **room.get("unread_thread_notifications", {})}
    counts = {thread: (part["notification_count"], part["highlight_count"]) for thread, part in parts.items()}
    return {thread: pair for thread, pair in counts.items() if any(pair)}


class Follower:
    """A client that keeps the last counts that it was told."""

    def __init__(self, server: TestServer, token: str, room_id: str) -> None:
        self.server = server
        self.token = token
        self.room_id = room_id
        self.since: str | None = None
        self.counts: dict[str, Counts] = {}

    async def sync(self) -> None:
        answer = await self.server.sync(self.token, self.since, filter=FILTER)
        self.since = answer["next_batch"]
        room = answer.get("rooms", {}).get("join", {}).get(self.room_id, {})
        if "unread_notifications" in room:
            self.counts = _of_section(room)


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_exact(server: TestServer, seed: int) -> None:
    busy = BusyRoom(server, seed)
    await busy.found()
    room = await server.rooms.live.get(busy.room_id)
    unread = server.homeserver.front(Unread)
    followers = {user_id: Follower(server, token, busy.room_id) for user_id, token in busy.tokens.items()}
    for step in range(STEPS):
        await busy.act()
        await caught_up(server)
        for user_id in busy.members:
            found = (await unread.of(user_id, [room.identity.room_nid]))[room.identity.room_nid]
            stored = {"main": found.main, **found.threads}
            expected = busy.unread(user_id)
            assert {t: c for t, c in stored.items() if any(c)} == expected, (step, user_id, "\n".join(busy.log[-14:]))
            if busy.random.random() < 0.5:
                await followers[user_id].sync()
                assert followers[user_id].counts == expected, (step, user_id, "\n".join(busy.log[-14:]))
