"""The rooms of a response from recent facts alone, for a reader that is nearly caught up: the way of most long polls.

Gives up (NotInMemory) where memory does not hold enough: a room just joined or left, changes of
membership that move the summary, an invite, a refilled fact.
"""

from collections.abc import Callable, Sequence

from replication.numbers import counter_of
from synapse_like.rooms.event_store import EventStore, StoredEvent
from synapse_like.rooms.facts import TRUNK, EventFact, Kind, StateRef
from synapse_like.rooms.memberships import UserRoom
from synapse_like.sync.rooms_part import RoomNews, timeline_limit
from synapse_like.sync.section import SyncContext
from synapse_like.sync.window import StateKey

RecentEvents = Callable[[str, int], Sequence[EventFact] | None]
"""The facts of a room after a number, None if memory does not reach back that far."""


class NotInMemory(Exception):
    """Ask the database."""


def rooms_from_memory(
    context: SyncContext, recent: RecentEvents, events: EventStore
) -> tuple[list[RoomNews], set[str]]:
    """The news of every joined room that has any, and the ids of events that have to be fetched before asking again.

    Raises NotInMemory.
    """
    since = context.since
    if since is None:
        raise NotInMemory
    found: list[RoomNews] = []
    missing: set[str] = set()
    if since.rooms == context.now.rooms:
        return found, missing
    for room in context.touched_rooms():
        after = since.room_floor(room.shard)
        if room.number > after or not context.now.rooms.covers(room.number):
            raise NotInMemory
        if room.membership != "join" or not context.filter.room.allows_room(room.room_id):
            continue
        facts = recent(room.room_id, after)
        if facts is None:
            raise NotInMemory
        if facts:
            found.append(_news(context, room, facts, events, missing))
    return found, missing


def _news(
    context: SyncContext, room: UserRoom, facts: Sequence[EventFact], events: EventStore, missing: set[str]
) -> RoomNews:
    upto = context.now.rooms[room.shard]
    facts = [fact for fact in facts if counter_of(fact.number) <= upto]
    changed: dict[StateKey, str | None] = {}
    for fact in facts:
        if not fact.head.extremities or _is_off_trunk(fact):
            raise NotInMemory
        for change in fact.trunk:
            if change.member is not None and change.member.before != change.member.membership:
                raise NotInMemory
            changed[change.type, change.state_key] = change.event_id
    limit = timeline_limit(context)
    live = [fact for fact in facts if fact.kind is Kind.LIVE]
    shown = live[-limit - 1 :] if context.filter.room.timeline.is_everything else live
    timeline = [events.of_fact(fact) for fact in shown]
    news = RoomNews(room, timeline, False, {})
    missing |= _fill_changes(news, changed, events)
    if context.filter.room.state.lazy_load_members:
        missing |= _fill_members(news, [fact.sender_member for fact in shown if fact.sender_member], events)
    return news


def _is_off_trunk(fact: EventFact) -> bool:
    """Whether an event was sent in another state of the room than the one it came into, so that others may see it."""
    return fact.kind is Kind.LIVE and fact.before != StateRef(TRUNK, fact.head.trunk_version - bool(fact.trunk))


def _fill_changes(news: RoomNews, changed: dict[StateKey, str | None], events: EventStore) -> set[str]:
    """Set the changes of state; the ids of those events that are not in memory."""
    changes: dict[StateKey, StoredEvent | None] = {}
    missing = set()
    for key, event_id in changed.items():
        event = events.peek(event_id) if event_id is not None else None
        if event_id is not None and event is None:
            missing.add(event_id)
        changes[key] = event
    news.changes = changes
    return missing


def _fill_members(news: RoomNews, event_ids: Sequence[str], events: EventStore) -> set[str]:
    """Set the membership of the timeline's senders; the ids of those events that are not in memory."""
    members = {}
    missing = set()
    for event_id in event_ids:
        event = events.peek(event_id)
        if event is None:
            missing.add(event_id)
        else:
            members[event.event.key] = event
    news.members = members
    return missing
