"""GET /events: the newest events of the reader's rooms (or of one room) after a token, in the order of receipt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replication.numbers import pack
from synapse_like.features.history import seen_in
from synapse_like.features.legacy_sync.places import place_in
from synapse_like.rooms.access import Past, learn, pasts
from synapse_like.rooms.event_store import StoredEvent, stored_all
from synapse_like.rooms.front import Rooms, UserRoom
from synapse_like.rooms.memberships import rooms_in
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.timeline import rendered, view_of
from synapse_like.sync.notifier import Notifier
from synapse_like.sync.ports import Preferences
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester

NEWEST_OF_A_ROOM = 101
"""Who stays away for longer than this many events of a room misses the older ones, as there is no paging here."""


@dataclass(frozen=True, slots=True)
class _News:
    now: SyncToken
    events: Sequence[tuple[Past, StoredEvent]] = ()


class EventStream:
    """Answers /events, at once or when something happens."""

    def __init__(
        self, database: Database, clock: Clock, rooms: Rooms, notifier: Notifier, preferences: Preferences
    ) -> None:
        self._database = database
        self._clock = clock
        self._rooms = rooms
        self._notifier = notifier
        self._preferences = preferences

    async def after(
        self, requester: Requester, since: SyncToken | None, timeout_ms: int, room_id: str | None
    ) -> tuple[list[bytes], SyncToken, SyncToken]:
        """Events after a token (None: from now on), the token before them, and the one after.

        With `room_id`, of that room only, which may be one that everybody may read. Raises Forbidden.
        """
        user_id = requester.user_id
        ignored = await self._preferences.ignored_users(user_id) - {user_id}
        deadline_ms = self._clock.monotonic_ms() + timeout_ms
        while True:
            joined = await self._rooms.memberships.joined_rooms(user_id)
            watch = self._notifier.listen([room_id] if room_id is not None else [user_id, *joined])
            try:
                news = await self._database.read(
                    lambda txn, start=since: self._news(txn, user_id, start, room_id)  # type: ignore[misc]
                )
                since = since or news.now
                shown = [(past, event) for past, event in news.events if _is_shown(past, event, ignored)]
                left_ms = deadline_ms - self._clock.monotonic_ms()
                is_over = left_ms <= 0 or self._notifier.is_closed
                if shown or is_over or not await watch.wait(self._clock, left_ms / 1000):
                    return self._rendered(shown, requester), since, news.now
            finally:
                self._notifier.drop(watch)

    def _news(self, txn: Transaction, user_id: str, since: SyncToken | None, room_id: str | None) -> _News:
        now = place_in(txn, self._rooms.reader)
        mine = rooms_in(txn, user_id) if room_id is None else {}
        asked = [(room.room_nid, room.shard) for room in mine.values() if room.membership == "join"]
        if room_id is not None:
            view = view_of(txn, user_id, room_id, allows_departed=False)
            asked = [(view.room_nid, view.shard)]
        if since is None:
            return _News(now)
        spans = [(nid, seen_in(since, shard), pack(shard, now.rooms[shard])) for nid, shard in asked]
        rows = events_sql.newest_of_rooms(txn, spans, NEWEST_OF_A_ROOM)
        past = pasts(txn, user_id, [nid for nid, _ in asked])
        shown = stored_all(txn, rows)
        learn(txn, past, shown)
        events = [(past[event.room_nid], event) for event in shown]
        events += self._own_changes(txn, user_id, since, mine.values())
        return _News(now, sorted(events, key=lambda pair: pair[1].received_ms))

    def _own_changes(
        self, txn: Transaction, user_id: str, since: SyncToken, rooms: Iterable[UserRoom]
    ) -> list[tuple[Past, StoredEvent]]:
        """The reader's own invites and departures since then."""
        changed = [
            room.event_id
            for room in rooms
            if room.membership != "join" and room.number > seen_in(since, room.shard) and not room.is_forgotten
        ]
        found = self._rooms.events.read(txn, changed) if changed else {}
        past = pasts(txn, user_id, [event.room_nid for event in found.values()])
        return [(past[event.room_nid], event) for event in found.values()]

    def _rendered(self, shown: Iterable[tuple[Past, StoredEvent]], requester: Requester) -> list[bytes]:
        now_ms = self._clock.now_ms()
        return [part for past, event in shown for part in rendered(past, [event], requester.device_id, now_ms)]


def _is_shown(past: Past, event: StoredEvent, ignored: frozenset[str]) -> bool:
    """Whether the reader is told: of own invites and departures always, unless an ignored user invites."""
    is_own_change = event.event.is_state and event.event.key == ("m.room.member", past.user_id)
    if event.event.sender in ignored and (is_own_change or not event.event.is_state):
        return False
    return is_own_change or past.shows(event)
