"""A request that is given up while its event is on its way to the database: the event is there once, and in its place.

So it is where the process that passed the request on dies: its client asks again, elsewhere, at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.rooms.front import Draft
from tests.kit.homeserver import TestServer
from tests.synapse_like.features.readers import Readers, server

__all__ = ["server"]

USER, TRANSACTION = "@alice:test", ("@alice:test", "PHONE", "once")


class Gate:
    """Holds group commits back until it is opened."""

    def __init__(self, server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database = server.homeserver.kit.database
        self._commit: Callable[..., None] = self._database.commit
        self._held: list[Sequence[Any]] = []
        self._is_open = False
        monkeypatch.setattr(self._database, "commit", self._take)

    @property
    def holds(self) -> int:
        """How many commits wait."""
        return len(self._held)

    def open(self) -> None:
        """Let all pass, from now on."""
        self._is_open = True
        for arguments in self._held:
            self._commit(*arguments)

    def _take(self, *arguments: Any) -> None:
        if self._is_open:
            self._commit(*arguments)
        else:
            self._held.append(arguments)


def _draft(text: str) -> Draft:
    return Draft(type="m.room.message", sender=USER, content={"msgtype": "m.text", "body": text})


@pytest.mark.parametrize("is_repeat", [True, False])
async def test_what_is_asked_after_a_cancelled_send_waits_for_its_end(
    server: Readers, monkeypatch: pytest.MonkeyPatch, is_repeat: bool
) -> None:
    room_id = await server.found_room()
    await server.quiet()
    creation, gate = server.rooms.creation, Gate(server, monkeypatch)
    first = Deferred.fromCoroutine(creation.send(room_id, _draft("one"), transaction=TRANSACTION))
    while not gate.holds:
        await server.homeserver.kit.clock.sleep(0)
    first.cancel()
    with pytest.raises(CancelledError):
        await first
    again = TRANSACTION if is_repeat else (*TRANSACTION[:2], "other")
    second = Deferred.fromCoroutine(creation.send(room_id, _draft("two"), transaction=again))
    await server.homeserver.kit.clock.sleep(0.05)
    assert not second.called and server.rooms.live.peek(room_id) is None
    gate.open()
    event_id = await second
    assert await server.bodies("alice", room_id) == (["one"] if is_repeat else ["two", "one"])
    newest, before = (await server.get("alice", room_id, "messages", dir="b", limit=2))["chunk"]
    assert newest["event_id"] == event_id
    stored = await server.rooms.events.get_one(event_id)
    assert stored is not None and stored.event.prev_event_ids == (before["event_id"],)
    assert (await server.rooms.live.get(room_id)).unstored == 0
