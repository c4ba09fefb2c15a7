"""Whose rooms are being read while something happens to them: nobody is given, and nothing keeps, what is older."""

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.features.membership.sql import forget
from synapse_like.rooms.facts import EVENTS
from synapse_like.rooms.memberships import Memberships, UserRoom
from synapse_like.toolkit.db import Database, Transaction
from tests.synapse_like.features.readers import Readers, server

__all__ = ["server"]

T = TypeVar("T")


class SlowDatabase:
    """Brings what was read when the test says so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.held: list[Deferred[None]] = []

    async def read(self, function: Callable[[Transaction], T]) -> T:
        found = await self._database.read(function)
        self.held.append(Deferred())
        await self.held[-1]
        return found


class Asked:
    """The memberships of a server, followed over a slow database."""

    def __init__(self, server: Readers) -> None:
        self._sleep = server.homeserver.kit.clock.sleep
        self.slow = SlowDatabase(server.homeserver.kit.database)
        self.memberships = Memberships(cast(Database, self.slow))
        server.rooms.reader.subscribe(EVENTS, self.memberships.take)

    def ask(self, user_id: str) -> "Deferred[Mapping[str, UserRoom]]":
        """A question on its way."""
        return Deferred.fromCoroutine(self.memberships.rooms_of(user_id))

    async def has_read(self, count: int) -> None:
        """Wait until so many snapshots have been read."""
        while len(self.slow.held) < count:
            await self._sleep(0.001)


@pytest.mark.parametrize("given_up", [0, 1])
async def test_what_happens_during_a_read_reaches_who_waits_beside_one_that_is_cancelled(
    server: Readers, given_up: int
) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    asked = Asked(server)
    first = asked.ask("@alice:test")
    waiters = [asked.ask("@bob:test"), asked.ask("@bob:test")]
    await asked.has_read(1)
    asked.slow.held[0].callback(None)
    await first
    await asked.has_read(2)
    waiters[given_up].cancel()
    with pytest.raises(CancelledError):
        await waiters[given_up]
    await server.become("bob", room_id, "leave")
    await server.caught_up()
    asked.slow.held[1].callback(None)
    assert (await waiters[1 - given_up])[room_id].membership == "leave"
    assert await asked.memberships.of("@bob:test", room_id) == "leave"
    assert len(asked.slow.held) == 2


async def test_a_read_is_kept_although_nobody_waits_for_it_any_more(server: Readers) -> None:
    room_id = await server.found_room()
    asked = Asked(server)
    only = asked.ask("@alice:test")
    await asked.has_read(1)
    only.cancel()
    with pytest.raises(CancelledError):
        await only
    await server.become("alice", room_id, "leave")
    await server.caught_up()
    asked.slow.held[0].callback(None)
    assert await asked.memberships.of("@alice:test", room_id) == "leave"


async def test_what_was_dropped_during_a_read_is_read_again(server: Readers) -> None:
    room_id = await server.found_room()
    await server.become("bob", room_id, "join")
    await server.become("bob", room_id, "leave")
    asked = Asked(server)
    first = asked.ask("@bob:test")
    await asked.has_read(1)
    assert await server.homeserver.kit.database.write(lambda txn: forget(txn, "@bob:test", room_id))
    asked.memberships.drop("@bob:test")
    second = asked.ask("@bob:test")
    asked.slow.held[0].callback(None)
    assert not (await first)[room_id].is_forgotten
    await asked.has_read(2)
    asked.slow.held[1].callback(None)
    assert (await second)[room_id].is_forgotten
    assert (await asked.memberships.rooms_of("@bob:test"))[room_id].is_forgotten


async def test_a_read_that_fails_leaves_nothing_behind(server: Readers) -> None:
    room_id = await server.found_room()
    asked = Asked(server)
    first = asked.ask("@alice:test")
    await asked.has_read(1)
    asked.memberships.drop("@alice:test")
    asked.slow.held[0].errback(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await first
    second = asked.ask("@alice:test")
    await asked.has_read(2)
    asked.slow.held[1].callback(None)
    assert (await second)[room_id].membership == "join"
    assert asked.memberships.peek("@alice:test")
