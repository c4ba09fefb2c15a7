"""Pages of a room's past. Each answer comes from one snapshot and at most three queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synapse_like.features.history import edges, sql
from synapse_like.features.history.pages import Page, cut, cut_forward, wanted_of
from synapse_like.features.history.tokens import Token, bound_of
from synapse_like.federation.past import RemotePast
from synapse_like.matrix.errors import Forbidden, NotFound
from synapse_like.matrix.filters import EVERY_EVENT, RoomEventFilter
from synapse_like.rooms import timeline
from synapse_like.rooms.access import learn
from synapse_like.rooms.event_store import EventStore, Peek, StoredEvent
from synapse_like.rooms.places import END, Place
from synapse_like.rooms.sql.timeline import room_of_event
from synapse_like.rooms.state_history import Part, events_of_keys, state_after
from synapse_like.rooms.timeline import START, Bound, View, place_after, rendered, view_of
from synapse_like.sync.ports import Preferences
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester

_FETCHES = 3
"""How often other servers are asked for what is missing of one page."""

NEAR_A_TIME = 200
"""How many events are looked at for one that the reader may see."""


@dataclass(frozen=True, slots=True)
class Pagination:
    """What /messages is asked. `limit` is how many events; `start` and `end` are `from` and `to`."""

    is_backward: bool
    limit: int
    start: Token | None = None
    end: Token | None = None
    filter: RoomEventFilter = EVERY_EVENT


@dataclass(frozen=True, slots=True)
class Messages:
    """A page, rendered. `start` is where it begins if the client did not say, `end` where it goes on."""

    chunk: list[bytes]
    state: list[bytes]
    start: Place
    end: Place | None
    has_reached_end: bool
    """Whether the page ends where the client wanted (`to`)."""


@dataclass(frozen=True, slots=True)
class Context:
    """An event and its neighbours, rendered, and the state after the last of them."""

    event: bytes
    before: list[bytes]
    after: list[bytes]
    state: list[bytes]
    start: Place
    end: Place


class History:
    """Reads the past of rooms for users."""

    def __init__(
        self, database: Database, clock: Clock, preferences: Preferences, events: EventStore, past: RemotePast
    ) -> None:
        self._past = past
        self._database = database
        self._clock = clock
        self._preferences = preferences
        self._peek = events.peek

    async def messages(self, requester: Requester, room_id: str, question: Pagination) -> Messages:
        """A page of the timeline; what is missing of it is asked of other servers. Raises Forbidden."""
        ignored = await self._ignored(requester)
        may_ask = question.is_backward and await self._past.is_shared(room_id)

        def read(txn: Transaction) -> tuple[View, Page, list[StoredEvent], list[str]]:
            view = view_of(txn, requester.user_id, room_id)
            page, passed = self._page(txn, view, question, requester, room_id, ignored)
            is_end = page.end is None and question.end is None
            behind = edges.behind(txn, view, passed, is_end=is_end) if may_ask else []
            return view, page, _lazily_loaded(txn, view, page.events, question.filter, self._peek), behind

        view, page, state, behind = await self._database.read(read)
        for _ in range(_FETCHES):
            if not behind or not await self._past.fetch_before(room_id, behind):
                break
            view, page, state, behind = await self._database.read(read)
        has_reached_end = page.end is None and question.end is not None and bool(page.events)
        return Messages(
            chunk=self._rendered(view, page.events, requester),
            state=self._rendered(view, state, requester),
            start=page.start,
            end=page.end,
            has_reached_end=has_reached_end,
        )

    async def context(
        self, requester: Requester, room_id: str, event_id: str, limit: int, chosen: RoomEventFilter
    ) -> Context:
        """An event and about `limit` of its neighbours. Raises Forbidden; NotFound for what the reader may not see."""
        ignored = await self._ignored(requester)
        before, after = limit // 2, limit - limit // 2

        def read(
            txn: Transaction,
        ) -> tuple[View, tuple[list[StoredEvent], StoredEvent | None, list[StoredEvent]], _State]:
            view = view_of(txn, requester.user_id, room_id)
            earlier, event, later = timeline.around(
                txn, view, event_id, requester.device_id, before=before, after=after, peek=self._peek
            )
            if event is None:
                return view, ([], None, []), []
            shown = _shown(view, room_id, chosen, ignored)
            earlier, later = [e for e in earlier if shown(e)], [e for e in later if shown(e)]
            state = _state_around(txn, [*earlier, event, *later], chosen, self._peek)
            return view, (earlier, event, later), state

        view, (earlier, event, later), state = await self._database.read(read)
        for _ in range(_FETCHES):
            oldest = earlier[:1] or ([event] if event is not None else [])
            is_whole = event is not None and len(earlier) >= before
            if is_whole or not await self._has_fetched_more(view, room_id, event_id, oldest):
                break
            view, (earlier, event, later), state = await self._database.read(read)
        if event is None:
            raise NotFound("Event not found")
        return Context(
            event=self._rendered(view, [event], requester)[0],
            before=self._rendered(view, earlier[::-1], requester),
            after=self._rendered(view, later, requester),
            state=self._rendered(view, state, requester),
            start=Place(*(earlier[0] if earlier else event).place),
            end=place_after(later[-1] if later else event),
        )

    async def event(self, requester: Requester, room_id: str | None, event_id: str) -> bytes:
        """One event, in its room or wherever it is. Raises NotFound for what the reader may not see."""

        def read(txn: Transaction) -> tuple[View, StoredEvent]:
            place = room_id if room_id is not None else room_of_event(txn, event_id)
            try:
                view = view_of(txn, requester.user_id, place or "")
            except Forbidden:
                raise NotFound("Event not found") from None
            event = timeline.event_in_view(txn, view, event_id, requester.device_id)
            if event is None:
                raise NotFound("Event not found")
            return view, event

        view, event = await self._database.read(read)
        return self._rendered(view, [event], requester)[0]

    async def event_at_time(
        self, requester: Requester, room_id: str, time_ms: int, *, is_backward: bool
    ) -> StoredEvent:
        """The event sent nearest to a time, from there on (or back). Raises Forbidden, NotFound if there is none."""

        def read(txn: Transaction) -> StoredEvent | None:
            view = view_of(txn, requester.user_id, room_id)
            rows = sql.nearest(txn, view.room_nid, time_ms, NEAR_A_TIME, is_backward=is_backward)
            events = timeline.own_events(rows, (requester.user_id, ""))
            learn(txn, {view.room_nid: view.past}, events)
            return next((e for e in events if view.past.shows(e) and Place(*e.place) < view.end.place), None)

        event = await self._database.read(read)
        if await self._past.is_shared(room_id):
            event = await self._nearer_elsewhere(room_id, time_ms, event, read, is_backward=is_backward)
        if event is None:
            raise NotFound("There is no event in that direction")
        return event

    async def _nearer_elsewhere(
        self,
        room_id: str,
        time_ms: int,
        event: StoredEvent | None,
        read: Callable[[Transaction], StoredEvent | None],
        *,
        is_backward: bool,
    ) -> StoredEvent | None:
        """An event that another server knows, and fetches for us, if ours has a gap beside it and that lies nearer."""
        if event is not None and (is_backward or not await self._past.has_gap_before(event)):
            return event
        told = await self._past.event_at_time(room_id, time_ms, is_backward=is_backward)
        if told is None or (
            event is not None and abs(event.event.origin_server_ts - time_ms) <= abs(told[1] - time_ms)
        ):
            return event
        return await self._database.read(read) if await self._past.fetch_event(room_id, told[0]) else event

    async def _has_fetched_more(self, view: View, room_id: str, event_id: str, oldest: Sequence[StoredEvent]) -> bool:
        """Ask other servers for the event, or for what lies before the oldest that we have around it."""
        if not view.has_joined or not await self._past.is_shared(room_id):
            return False
        if not oldest:
            return await self._past.fetch_event(room_id, event_id)
        return await self._past.fetch_before(room_id, [each for e in oldest for each in e.event.prev_event_ids])

    def _page(
        self,
        txn: Transaction,
        view: View,
        question: Pagination,
        requester: Requester,
        room_id: str,
        ignored: frozenset[str],
    ) -> tuple[Page, list[StoredEvent]]:
        """The events of one page, and those that were read for it: once, generously where only we can tell."""
        chosen, limit, is_backward = question.filter, question.limit, question.is_backward
        if not chosen.allows_room(room_id):
            return Page([], START, None), []
        low, high = (question.end, question.start) if is_backward else (question.start, question.end)
        ends = bound_of(low, view.shard, Bound(START)), bound_of(high, view.shard, Bound(END))
        wanted, step = wanted_of(chosen, limit, ignored)
        events = timeline.page(
            txn, view, ends, wanted, requester.device_id, step, is_backward=is_backward, peek=self._peek
        )
        page = (cut if is_backward else cut_forward)(events, _shown(view, room_id, chosen, ignored), limit, step)
        return page, events

    async def _ignored(self, requester: Requester) -> frozenset[str]:
        return await self._preferences.ignored_users(requester.user_id) - {requester.user_id}

    def _rendered(self, view: View, events: Sequence[StoredEvent], requester: Requester) -> list[bytes]:
        return rendered(view.past, events, requester.device_id, self._clock.now_ms())


_State = list[StoredEvent]


def _shown(view: View, room_id: str, chosen: RoomEventFilter, ignored: frozenset[str]) -> Callable[[StoredEvent], bool]:
    """Whether an event is shown to the reader."""

    def shown(event: StoredEvent) -> bool:
        if not event.event.is_state and event.event.sender in ignored:
            return False
        return (chosen.is_everything or chosen.allows(event.event)) and view.past.shows(event)

    return shown


def _lazily_loaded(
    txn: Transaction, view: View, events: Sequence[StoredEvent], chosen: RoomEventFilter, peek: Peek
) -> list[StoredEvent]:
    """The membership of the senders at the newest event, for clients that load members lazily."""
    if not chosen.lazy_load_members or not events:
        return []
    newest = max(events, key=lambda event: event.place)
    keys = sorted({("m.room.member", event.event.sender) for event in events})
    return list(events_of_keys(txn, view.room_nid, newest.before, keys, peek=peek).values())


def _state_around(
    txn: Transaction, events: Sequence[StoredEvent], chosen: RoomEventFilter, peek: Peek
) -> list[StoredEvent]:
    """The state after the last event, as the filter wants it."""
    senders = sorted({event.event.sender for event in events})
    part = Part(has_members=False, users=senders) if chosen.lazy_load_members else Part()
    state = state_after(txn, events[-1], part, peek=peek)
    return [event for event in state if chosen.is_everything or chosen.allows(event.event)]
