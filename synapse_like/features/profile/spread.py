"""Telling rooms of a new name or avatar: one membership event per joined room, room by room.

What has to be told is stored with the change, so a restart goes on where it was. A newer change of the same user ends
the round at once and begins another; users do not wait for each other, up to a number. Rooms in which the user is
called rightly already are passed over, so that a repeated round does no harm.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred

from replication.streams import Family
from synapse_like.features.membership import MemberProfile
from synapse_like.features.profile import sql
from synapse_like.matrix.errors import MatrixError
from synapse_like.rooms.families import UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.outages import is_outage
from synapse_like.toolkit.randomness import Randomness

logger = logging.getLogger(__name__)

USERS_AT_ONCE = 8
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0

Announce = Callable[[str, str, MemberProfile], Awaitable[None]]
"""Tells one room (user id, room id, profile) how its user is called now; does nothing if the room knows."""


class ProfileSpread:
    """The rounds under way, and the users who wait for theirs. Lives where the users do."""

    def __init__(
        self, database: Database, log: UserLog, clock: Clock, randomness: Randomness, announce: Announce
    ) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._randomness = randomness
        self._announce = announce
        self._waiting: dict[str, None] = {}
        self._rounds: dict[str, _Round] = {}
        self._shards: set[int] = set()

    async def took(self, _family: Family, shards: Sequence[int]) -> None:
        """Go on with what was not finished, for the users who live here."""
        self._shards.update(shards)
        await self._resume()

    async def gave(self, _family: Family, shards: Sequence[int]) -> None:
        """Finish the rooms at hand; whoever has the users next goes on."""
        kept, self._shards = self._shards.difference(shards), set()
        self._waiting.clear()
        for each in list(self._rounds.values()):
            each.stop()
        await self.idle()
        self._shards = kept
        if kept:
            await self._resume()

    async def _resume(self) -> None:
        for user_id in await self._log.ours(await self._database.read(sql.intending)):
            self.begin(user_id)

    async def idle(self) -> None:
        """Wait until no round is under way."""
        while self._rounds:
            await next(iter(self._rounds.values())).ended()

    def begin(self, user_id: str) -> None:
        """Tell the rooms of a user what is stored to be told."""
        if user_id in self._rounds:
            self._rounds[user_id].begin_anew()
        elif self._shards:
            self._waiting[user_id] = None
            self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._rounds) < USERS_AT_ONCE:
            user_id = next(iter(self._waiting))
            del self._waiting[user_id]
            self._rounds[user_id] = _Round(user_id)
            _ = Deferred.fromCoroutine(self._run(self._rounds[user_id])).addErrback(_log_failure, user_id)

    async def _run(self, turn: "_Round") -> None:
        try:
            while turn.is_wanted:
                turn.is_wanted = False
                try:
                    await self._tell_rooms(turn)
                    turn.failures = 0
                except Exception as error:
                    what = "the rooms of %s could not all be told of their name: %s"
                    logger.warning(what, turn.user_id, error, exc_info=not is_outage(error))
                    await turn.pause(self._clock, self._pause_seconds(turn))
        finally:
            del self._rounds[turn.user_id]
            turn.end()
            self._fill()

    async def _tell_rooms(self, turn: "_Round") -> None:
        """Tell the rooms that call the user otherwise, until there is none left."""
        told: set[str] = set()
        while not turn.is_interrupted:
            found = await self._database.read(lambda txn: _untold(txn, turn.user_id))
            if found is None:
                return
            number, rooms, profile = found
            rooms = [room_id for room_id in rooms if room_id not in told]
            if not rooms:
                await self._finish(turn.user_id, number)
                return
            for room_id in rooms:
                if turn.is_interrupted:
                    return
                told.add(room_id)
                await self._tell(turn.user_id, room_id, profile)

    async def _finish(self, user_id: str, number: int) -> None:
        await self._database.write(lambda txn: sql.fulfilled(txn, user_id, number))

    async def _tell(self, user_id: str, room_id: str, profile: MemberProfile) -> None:
        try:
            await self._announce(user_id, room_id, profile)
        except MatrixError as error:
            logger.info("%s cannot be told of the name of %s: %s", room_id, user_id, error)

    def _pause_seconds(self, turn: "_Round") -> float:
        seconds: float = min(FIRST_PAUSE_SECONDS * 2**turn.failures, LONGEST_PAUSE_SECONDS)
        turn.failures = min(turn.failures + 1, 16)
        return self._randomness.jitter(seconds)


class _Round:
    """One user's turn."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.is_wanted = True
        """Whether the rooms have to be looked at (again)."""
        self.failures = 0
        self._is_stopped = False
        self._pause: Deferred[None] | None = None
        self._waiters: list[Deferred[None]] = []

    @property
    def is_interrupted(self) -> bool:
        """Whether to leave the other rooms, for a newer change or because the process stops."""
        return self.is_wanted or self._is_stopped

    def begin_anew(self) -> None:
        """There is something newer to tell."""
        self.is_wanted = not self._is_stopped

    def stop(self) -> None:
        """End after the room at hand."""
        self._is_stopped, self.is_wanted = True, False
        self._wake()

    async def pause(self, clock: Clock, seconds: float) -> None:
        """Wait before trying again; a stop ends it."""
        if self._is_stopped:
            return
        self.is_wanted = True
        self._pause = Deferred()
        wait = clock.call_later(seconds, self._wake)
        await self._pause
        wait.cancel()

    def _wake(self) -> None:
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.callback(None)

    def ended(self) -> "Deferred[None]":
        """Fires when the round has ended."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def end(self) -> None:
        """Tell those who wait for the end."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)


def _untold(transaction: Transaction, user_id: str) -> tuple[int, list[str], MemberProfile] | None:
    """(number of the change, the rooms that call the user otherwise, the profile); None if nothing is to be told."""
    intent = sql.intent(transaction, user_id)
    if intent is None:
        return None
    number, *named = intent
    rooms = sql.names_in_rooms(transaction, user_id)
    wrong = [room_id for room_id, *called in rooms if [name or None for name in called] != named]
    return number, wrong, MemberProfile(*named)


def _log_failure(failure: object, user_id: str) -> None:
    logger.error("telling the rooms of %s failed: %s", user_id, failure)
