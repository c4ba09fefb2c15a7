"""Reports of events, rooms and users to the administrators.

Whether a reported room or user exists is not told: such reports succeed in any case (and are dropped).
Source: Client-Server API, "Reporting Content".
"""

from typing import Literal

from synapse_like.features.reporting import sql
from synapse_like.matrix.errors import BadJson, NotFound
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.numbers import NumberBlock
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.ratelimit import RateLimiter

MAX_REASON = 1000
"""The most characters of a reason."""

Values = dict[str, str | int | None]


class Reports:
    """The front door: takes reports."""

    def __init__(self, rooms: Rooms, database: Database, clock: Clock, limiter: RateLimiter, limit: RateLimit) -> None:
        self._rooms = rooms
        self._database = database
        self._clock = clock
        self._limiter = limiter
        self._limit = limit
        self._numbers = NumberBlock(database, "report")

    async def report_event(
        self, requester: Requester, room_id: str, event_id: str, reason: str | None, score: int | None
    ) -> None:
        """Report an event of a room that the user is in. Raises NotFound, LimitExceeded, BadJson."""
        self._check(requester, reason)
        room = await self._rooms.live.get(room_id)
        event = await self._rooms.events.get_one(event_id)
        is_there = event is not None and event.event.room_id == room_id
        if room.membership_of(requester.user_id) != "join" or not is_there:
            raise NotFound("There is no such event, or you are not in its room")
        author = event.event.sender if event is not None else None
        await self._add("event", requester, reason, room_id=room_id, event_id=event_id, user_id=author, score=score)

    async def report_room(self, requester: Requester, room_id: str, reason: str) -> None:
        """Report a room. Raises LimitExceeded, BadJson."""
        self._check(requester, reason)
        try:
            await self._rooms.live.get(room_id)
        except NotFound:
            return
        await self._add("room", requester, reason, room_id=room_id)

    async def report_user(self, requester: Requester, user_id: str, reason: str) -> None:
        """Report a user. Raises LimitExceeded, BadJson."""
        self._check(requester, reason)
        if is_valid_user_id(user_id):
            await self._add("user", requester, reason, user_id=user_id)

    def _check(self, requester: Requester, reason: str | None) -> None:
        self._limiter.check("rc_reports", requester.user_id, self._limit)
        if reason is not None and len(reason) > MAX_REASON:
            raise BadJson(f"reason has at most {MAX_REASON} characters")

    async def _add(
        self,
        kind: Literal["event", "room", "user"],
        requester: Requester,
        reason: str | None,
        **about: str | int | None,
    ) -> None:
        report_id, received_ms = await self._numbers.take(), self._clock.now_ms()
        text = None if reason is None else reason.replace("\0", "")
        empty: Values = {"room_id": None, "event_id": None, "user_id": None, "score": None}
        values: Values = {**empty, "kind": kind, "reporter": requester.user_id, "reason": text, **about}
        await self._database.write(lambda txn: sql.add(txn, report_id, received_ms, values))
