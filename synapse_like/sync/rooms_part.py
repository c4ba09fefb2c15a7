"""The rooms of one response, from the events and state that were found for them. No database, no waiting.

`RoomNews` is what both ways of finding (memory, snapshot) produce for a room; `put` turns it into the response.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from synapse_like.matrix.client_format import stripped
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.memberships import UserRoom
from synapse_like.rooms.places import END, Place
from synapse_like.sync.rendering import MembershipAt, prev_batch, rendered, wanted
from synapse_like.sync.response import JoinedRoom, LeftRoom, SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.sync.window import Changes, StateKey, Window, window

DEFAULT_LIMIT = 10
MAX_LIMIT = 100


@dataclass(slots=True)
class RoomNews:
    """What was found for one room. `timeline` is already visible to the reader, oldest first."""

    room: UserRoom
    timeline: Sequence[StoredEvent]
    is_limited: bool
    changes: Changes
    is_complete: bool = False
    """`changes` are the room's whole state."""
    members: Mapping[StateKey, StoredEvent] = field(default_factory=dict)
    """Membership events that lazily loading clients need besides."""
    membership_at: MembershipAt = lambda _: "join"
    summary: dict[str, object] = field(default_factory=dict)
    end: Place = END
    shown: Window | None = None
    """What is shown if nothing is filtered, where that is known already."""


def timeline_limit(context: SyncContext) -> int:
    """How many events a room's timeline may hold."""
    limit = context.filter.room.timeline.limit
    return DEFAULT_LIMIT if limit is None else min(limit, MAX_LIMIT)


def put_joined(context: SyncContext, news: RoomNews, transactions: Mapping[str, str], response: SyncResponse) -> None:
    """Add a joined room's timeline and state, if there is anything in them."""
    shown, state = _window(context, news)
    if not (shown.timeline or state or shown.is_limited or news.summary or news.is_complete):
        return
    part = response.joined(news.room.room_id)
    _fill(context, part, news, shown, state, transactions)
    part.summary = news.summary


def put_left(context: SyncContext, news: RoomNews, transactions: Mapping[str, str], response: SyncResponse) -> None:
    """Add a room that the user has left, up to the leave."""
    shown, state = _window(context, news)
    part = response.left_rooms.setdefault(news.room.room_id, LeftRoom())
    _fill(context, part, news, shown, state, transactions)


def put_invited(context: SyncContext, room: UserRoom, event: StoredEvent, response: SyncResponse) -> None:
    """Add an invite or a knock: the stripped state that came with it, and the membership event itself."""
    if room.membership == "invite" and room.sender in context.ignored_users:
        return
    key = "invite_room_state" if room.membership == "invite" else "knock_room_state"
    target = response.invited_rooms if room.membership == "invite" else response.knocked_rooms
    target[room.room_id] = [*_stripped_state(event.extras.get(key)), stripped(event.event)]


def _fill(
    context: SyncContext,
    part: JoinedRoom | LeftRoom,
    news: RoomNews,
    shown: Window,
    state: Sequence[StoredEvent],
    transactions: Mapping[str, str],
) -> None:
    part.timeline = rendered(context, shown.timeline, news.membership_at, transactions)
    part.state = rendered(context, state, news.membership_at, transactions)
    part.is_limited = shown.is_limited
    part.prev_batch = prev_batch(shown, news.end)


def _window(context: SyncContext, news: RoomNews) -> tuple[Window, Sequence[StoredEvent]]:
    """The room's window through the filters, and its state."""
    chosen = context.filter.room
    if news.shown is not None and chosen.timeline.is_everything and not context.ignored_users:
        shown = replace(news.shown, is_limited=news.shown.is_limited or news.is_limited)
        return shown, _state(context, news, shown)
    timeline = wanted(context, news.timeline, chosen.timeline)
    limit = timeline_limit(context)
    is_limited = news.is_limited or len(timeline) > limit
    timeline = timeline[len(timeline) - limit :] if len(timeline) > limit else timeline
    if context.uses_state_after:
        shown = Window(timeline, [event for event in news.changes.values() if event is not None], is_limited)
    else:
        shown = window(timeline, news.changes, is_limited=is_limited)
    return shown, _state(context, news, shown)


def _state(context: SyncContext, news: RoomNews, shown: Window) -> Sequence[StoredEvent]:
    chosen = context.filter.room
    state = shown.state
    if not chosen.state.is_everything:
        state = [event for event in state if chosen.state.allows(event.event)]
    if chosen.state.lazy_load_members:
        state = _lazily(context, news, shown, state)
    return state


def _lazily(context: SyncContext, news: RoomNews, shown: Window, state: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
    """Of membership, only what the timeline's senders, the heroes and the reader need."""
    users = {event.event.sender for event in shown.timeline} | {context.user_id}
    heroes = news.summary.get("m.heroes")
    users.update(heroes if isinstance(heroes, list) else ())
    kept = {e.event.key: e for e in state if e.event.type != "m.room.member" or e.event.state_key in users}
    told = {event.event.key for event in shown.timeline if event.event.is_state}
    more = [e for key, e in news.members.items() if key not in kept and key not in told and key[1] in users]
    return [*kept.values(), *more]


def _stripped_state(events: object) -> list[bytes]:
    return [orjson.dumps(event) for event in events] if isinstance(events, list) else []
