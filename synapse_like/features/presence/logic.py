"""Presence as the owner of a user knows it: hears clients come and go, and tells what others see of it.

How a user is seen follows from the rules in `person`; what changes by the passing of time alone is found by a job.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from replication.owned import owned
from replication.streams import Family
from synapse_like.features.presence.agenda import Agenda
from synapse_like.features.presence.config import PresenceConfig
from synapse_like.features.presence.heard import Heard
from synapse_like.features.presence.person import OFFLINE, Person, Times, View, content
from synapse_like.features.presence.polls import Polls
from synapse_like.features.presence.remote import REPEAT_MS
from synapse_like.features.presence.stream import PRESENCE, PresenceFact
from synapse_like.matrix.errors import Forbidden, LimitExceeded
from synapse_like.rooms.facts import EVENTS, EventFact, Kind
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.outages import is_outage
from synapse_like.toolkit.ratelimit import RateLimiter

logger = logging.getLogger(__name__)

STEP_MS = 1_000
"""How often the time is looked at."""
RATE_NAME = "rc_presence.per_user"
_REMEMBERED_OFFLINE = 20_000


class Presence:
    """The users of this owner who are there or were lately."""

    def __init__(
        self, rooms: Rooms, clock: Clock, config: PresenceConfig, limiter: RateLimiter, limit: RateLimit
    ) -> None:
        rules = config.presence
        self.is_enabled = rules.enabled is True
        self.excluded_rooms = frozenset(config.exclude_rooms_from_presence)
        self.heard: Heard | None = None
        """What was heard of users of other servers, once it is built."""
        self._server_name = rooms.identity.server_name
        self._rooms = rooms
        self._clock = clock
        self._limiter = limiter
        self._limit = limit
        self._times = Times(rules.last_active_granularity.ms, rules.sync_online_timeout.ms, rules.idle_timeout.ms)
        self._people: dict[str, Person] = {}
        self._offline: OrderedDict[str, None] = OrderedDict()
        self._agenda = Agenda(STEP_MS)
        self.polls = Polls(clock, lambda *seen: self.seen(*seen), self._times.online_ms // 2)
        if self.is_enabled:
            rooms.reader.subscribe(EVENTS, self._take)

    async def started_syncing(self, user_id: str, device_id: str | None, presence: str) -> None:
        """A client polls and wants its user to be seen as `presence` (online or unavailable).

        A client that changes its mind faster than the rate limit allows is not heeded.
        """
        if not self.is_enabled:
            return
        known = self._people.get(user_id)
        if known is not None and known.polls_on(device_id, presence, self._times, self._clock.monotonic_ms()):
            return
        if not await self._rooms.user_log.owns(user_id):
            await self.polls.began(user_id, device_id, presence)
            return
        person = self._person(user_id)
        person.forget_devices(self._times, self._clock.monotonic_ms())
        presence = self._allowed(user_id, person.wish_of(device_id), presence)
        person.poll_began(device_id, presence, self._clock.monotonic_ms())
        try:
            if await self._tell_news(user_id, person):
                await self._clock.sleep(0)  # the bus delivers on the next turn, so that the poll itself knows of it
        except BaseException:
            self.stopped_syncing(user_id, device_id)
            self._agenda.plan(user_id, self._clock.monotonic_ms())  # the next poll tells nothing if it is like this one
            raise

    def stopped_syncing(self, user_id: str, device_id: str | None) -> None:
        """A poll of a client was answered."""
        self.polls.ended(user_id, device_id)
        person = self._people.get(user_id)
        if person is not None:
            now_ms = self._clock.monotonic_ms()
            person.poll_ended(device_id, now_ms)
            self._agenda.plan(user_id, now_ms + self._times.online_ms)

    @owned(USER, "user_id")
    async def seen(self, user_id: str, device_id: str | None, presence: str) -> None:
        """A client polls in another process."""
        await self.started_syncing(user_id, device_id, presence)
        self.stopped_syncing(user_id, device_id)

    async def took(self, _family: Family, _shards: Sequence[int]) -> None:
        """Users live here from now on; their clients will be heard of."""

    async def gave(self, _family: Family, _shards: Sequence[int]) -> None:
        """Users live elsewhere from now on: they are told of there."""
        kept = set(await self._rooms.user_log.ours(list(self._people)))
        for user_id in self._people.keys() - kept:
            del self._people[user_id]
            self._offline.pop(user_id, None)

    @owned(USER, "user_id")
    async def choose(self, user_id: str, device_id: str | None, presence: str, status_msg: str | None) -> None:
        """A user sets presence and status message (None: no message)."""
        if self.is_enabled:
            person = self._person(user_id)
            person.choose(device_id, presence, status_msg, self._clock.monotonic_ms())
            await self._tell_news(user_id, person)

    def active(self, user_id: str) -> None:
        """A user has done something. Cheap; others are told within `STEP_MS` if they can see it."""
        person = self._people.get(user_id)
        if person is None or person.told.presence == OFFLINE:
            return
        now_ms = person.active_at_ms = self._clock.monotonic_ms()
        if person.view(self._times, now_ms).is_news_after(person.told, self._times):
            self._agenda.plan(user_id, now_ms)

    @owned(USER, "user_id")
    async def content_for(self, asker: str, user_id: str) -> dict[str, Any]:
        """The presence of a user as another (or the same) may see it. Raises Forbidden."""
        if not self.is_enabled:
            return content(OFFLINE, None, False, None)
        if asker != user_id and set(await self._joined_rooms(asker)).isdisjoint(await self._joined_rooms(user_id)):
            raise Forbidden("You may not see this user's presence")
        person = self._people.get(user_id)
        if person is None:
            return self._remote_content(user_id)
        now_ms = self._clock.monotonic_ms()
        view = person.view(self._times, now_ms)
        ago_ms = None if view.active_at_ms is None else now_ms - view.active_at_ms
        return content(view.presence, view.status_msg, view.is_active, ago_ms)

    def _remote_content(self, user_id: str) -> dict[str, Any]:
        """The presence of a user who is not one of ours, or has not been here."""
        heard = self.heard.of(user_id) if self.heard is not None and server_of(user_id) != self._server_name else None
        if heard is None:
            return content(OFFLINE, None, False, None)
        fact = heard.fact
        ago_ms = None if fact.last_active_ms is None else self._clock.now_ms() - fact.last_active_ms
        return content(fact.presence, fact.status_msg, fact.is_active, ago_ms)

    async def look_at_the_time(self) -> None:
        """Tell what has changed by time alone, and what `active` and joins have left to tell."""
        for user_id in self._agenda.take(self._clock.monotonic_ms()):
            person = self._people.get(user_id)
            if person is None:
                continue
            try:
                await self._tell_news(user_id, person)
            except Exception as error:
                what = "could not tell the presence of %s; it is tried again: %s"
                logger.error(what, user_id, error, exc_info=not is_outage(error))
                self._agenda.plan(user_id, self._clock.monotonic_ms() + STEP_MS)

    async def _tell_news(self, user_id: str, person: Person) -> bool:
        """Tell how a user is seen, if that is news; whether it was."""
        now_ms = self._clock.monotonic_ms()
        if not person.has_news(self._view(user_id, person), self._times, now_ms):
            return False
        rooms = await self._joined_rooms(user_id)
        view = self._view(user_id, person)
        if not person.has_news(view, self._times, now_ms):
            return False
        person.told, person.is_new_to_a_room = view, False
        person.repeats_at_ms = None if view.presence == OFFLINE else now_ms + REPEAT_MS
        fact = PresenceFact(
            user_id=user_id,
            rooms=tuple(rooms),
            presence=view.presence,
            status_msg=view.status_msg,
            is_active=view.is_active,
            last_active_ms=self._time_of_day(view.active_at_ms),
        )
        self._rooms.user_log.tell(user_id, [(PRESENCE, fact)])
        return True

    def _view(self, user_id: str, person: Person) -> View:
        """How the user is seen now; notes when to look again, and forgets those who have long been offline."""
        now_ms = self._clock.monotonic_ms()
        person.forget_devices(self._times, now_ms)
        changes_at_ms = person.changes_at_ms(self._times, now_ms)
        if changes_at_ms is not None:
            self._agenda.plan(user_id, changes_at_ms)
        if person.repeats_at_ms is not None:
            self._agenda.plan(user_id, person.repeats_at_ms)
        view = person.view(self._times, now_ms)
        if view.presence == OFFLINE and not person.devices:
            self._offline[user_id] = None
            self._offline.move_to_end(user_id)
            if len(self._offline) > _REMEMBERED_OFFLINE:
                forgotten, _ = self._offline.popitem(last=False)
                del self._people[forgotten]
        return view

    def _allowed(self, user_id: str, before: str | None, wish: str) -> str:
        """What a client wishes, or what it wished before, if it changes its mind too often."""
        if before in (None, OFFLINE, wish):
            return wish
        try:
            self._limiter.check(RATE_NAME, user_id, self._limit)
        except LimitExceeded:
            return before or wish
        return wish

    def _person(self, user_id: str) -> Person:
        self._offline.pop(user_id, None)
        return self._people.setdefault(user_id, Person())

    def _time_of_day(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else self._clock.now_ms() - self._clock.monotonic_ms() + at_ms

    async def _joined_rooms(self, user_id: str) -> list[str]:
        joined = await self._rooms.memberships.joined_rooms(user_id)
        return [room_id for room_id in joined if room_id not in self.excluded_rooms]

    def _take(self, facts: Sequence[EventFact]) -> None:
        """Who sends does something; who joins is to be seen by those who are in the room."""
        for fact in facts:
            if fact.kind is not Kind.LIVE:
                continue
            self.active(fact.event.sender)
            for change in fact.trunk:
                member = change.member
                if member is not None and member.membership == "join" != member.before:
                    self._joined(member.user_id)

    def _joined(self, user_id: str) -> None:
        person = self._people.get(user_id)
        if person is not None:
            person.is_new_to_a_room = True
            self._agenda.plan(user_id, self._clock.monotonic_ms())
