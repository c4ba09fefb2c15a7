"""The rooms of a response from one snapshot: first syncs, old tokens, rooms joined or left meanwhile.

A fixed number of questions, each asked once for all rooms. Runs in a database thread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from replication.numbers import pack
from synapse_like.rooms.access import Past, learn, pasts
from synapse_like.rooms.event_store import EventStore, StoredEvent, stored_all
from synapse_like.rooms.memberships import UserRoom
from synapse_like.rooms.places import END, Place
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.sql import state as state_sql
from synapse_like.sync import sql
from synapse_like.sync.rooms_part import RoomNews, timeline_limit
from synapse_like.sync.section import SyncContext
from synapse_like.sync.whole_rooms import WholeRooms
from synapse_like.sync.window import Changes, StateKey
from synapse_like.toolkit.db import Transaction


@dataclass(slots=True)
class Groups:
    """The user's rooms by what the response says about them."""

    joined: list[UserRoom] = field(default_factory=list)
    """Joined before and now, with something new in them."""
    fresh: list[UserRoom] = field(default_factory=list)
    """Joined since the client last asked."""
    left: list[UserRoom] = field(default_factory=list)
    """Left or banned since then, having been joined before."""
    ended: list[UserRoom] = field(default_factory=list)
    """Invites and knocks that ended without a join."""
    invited: list[UserRoom] = field(default_factory=list)
    """Invites and knocks."""


@dataclass(slots=True)
class Found:
    """What the snapshot holds for a response."""

    joined: list[RoomNews] = field(default_factory=list)
    left: list[RoomNews] = field(default_factory=list)
    invited: list[tuple[UserRoom, StoredEvent]] = field(default_factory=list)
    transactions: dict[str, str] = field(default_factory=dict)


def rooms_from_database(
    transaction: Transaction, context: SyncContext, events: EventStore, whole_rooms: WholeRooms
) -> Found:
    """Everything that the response says about rooms; `context.rooms` and `context.now` are of this snapshot."""
    groups = group(transaction, context)
    context.fresh_rooms = {room.room_id for room in groups.fresh}
    found = Found()
    timelines = _timelines(transaction, context, [*groups.joined, *groups.left])
    found.joined = _joined_news(transaction, context, groups, timelines, whole_rooms)
    found.left = _left_news(transaction, context, groups, timelines)
    ended_events = events.read(transaction, [room.event_id for room in (*groups.invited, *groups.ended)])
    found.invited = [(r, ended_events[r.event_id]) for r in groups.invited if r.event_id in ended_events]
    found.left += [_ended_news(room, ended_events.get(room.event_id)) for room in groups.ended]
    found.transactions = _transaction_ids(transaction, context, [*found.joined, *found.left])
    return found


def group(transaction: Transaction, context: SyncContext) -> Groups:
    """Sort the user's rooms; asks what membership was at `since` where it has changed after that."""
    groups = Groups()
    rooms = [room for room in context.rooms.values() if context.filter.room.allows_room(room.room_id)]
    if context.since is None:
        for room in rooms:
            _sort_initially(context, room, groups)
        return groups
    since = context.since
    changed = [room for room in rooms if room.number > since.room_floor(room.shard)]
    before = _memberships_at_since(transaction, context, changed)
    for room in changed:
        _sort_changed(room, before.get(room.room_nid), groups)
    still = [room for room in rooms if room.membership == "join" and room.number <= since.room_floor(room.shard)]
    if context.is_full_state:
        groups.joined += still
    else:
        asked = [(room.room_nid, since.room_floor(room.shard)) for room in still]
        moved = sql.changed_rooms(transaction, asked)
        groups.joined += [room for room in still if room.room_nid in moved]
    return groups


def _sort_initially(context: SyncContext, room: UserRoom, groups: Groups) -> None:
    if room.membership == "join":
        groups.fresh.append(room)
    elif room.membership in ("invite", "knock"):
        groups.invited.append(room)
    elif context.filter.room.include_leave and not room.is_forgotten:
        groups.left.append(room)


def _sort_changed(room: UserRoom, before: str | None, groups: Groups) -> None:
    if room.membership == "join":
        (groups.joined if before == "join" else groups.fresh).append(room)
    elif room.membership in ("invite", "knock"):
        groups.invited.append(room)
    elif room.is_forgotten and before != "join":
        return
    elif before == "join":
        groups.left.append(room)
    else:
        groups.ended.append(room)


def _memberships_at_since(transaction: Transaction, context: SyncContext, rooms: Sequence[UserRoom]) -> dict[int, str]:
    if not rooms or context.since is None:
        return {}
    since = context.since
    asked = [(room.room_nid, since.room_floor(room.shard)) for room in rooms]
    texts = sql.memberships_at(transaction, context.user_id, asked)
    return {nid: orjson.loads(text)["content"].get("membership", "leave") for nid, text in texts.items()}


def _bounds(context: SyncContext, room: UserRoom) -> tuple[int, int]:
    """The numbers between which a room's timeline lies."""
    is_new = context.since is None or room.room_id in context.fresh_rooms
    after = 0 if is_new or context.since is None else context.since.room_floor(room.shard)
    upto = room.number if room.membership != "join" else pack(room.shard, context.now.rooms[room.shard])
    return max(after, pack(room.shard, 0)), upto


def _timelines(
    transaction: Transaction, context: SyncContext, rooms: Sequence[UserRoom]
) -> dict[int, list[StoredEvent]]:
    """The newest events of each room, with at least one more than the timeline holds, if there are as many."""
    asked = [(room.room_nid, *_bounds(context, room)) for room in rooms]
    rows = events_sql.newest_of_rooms(transaction, asked, _asked_for(context))
    found: dict[int, list[StoredEvent]] = {room.room_nid: [] for room in rooms}
    for event in stored_all(transaction, rows):
        found[event.room_nid].append(event)
    return found


def _asked_for(context: SyncContext) -> int:
    """How many of a room's newest events are read: filters leave some of them out."""
    limit = timeline_limit(context)
    return limit + 1 if context.filter.room.timeline.is_everything else 5 * limit + 1


def _joined_news(
    transaction: Transaction,
    context: SyncContext,
    groups: Groups,
    timelines: dict[int, list[StoredEvent]],
    whole_rooms: WholeRooms,
) -> list[RoomNews]:
    is_lazy = context.filter.room.state.lazy_load_members
    heads = sql.heads(transaction, [room.room_nid for room in (*groups.fresh, *groups.joined)])
    numbers = {nid: head[0] for nid, head in heads.items()}
    bound = _asked_for(context)
    fresh = whole_rooms.read(transaction, groups.fresh, numbers, bound, has_members=not is_lazy)
    timelines |= {nid: list(room.newest(bound)) for nid, room in fresh.items()}
    current: dict[int, Changes] = {nid: room.state for nid, room in fresh.items()}
    if context.is_full_state:
        current |= _whole_state(transaction, groups.joined, is_lazy)
    changes = _changes(transaction, context, [] if context.is_full_state else groups.joined)
    past = pasts(transaction, context.user_id, [room.room_nid for room in (*groups.fresh, *groups.joined)])
    learn(transaction, past, (event for nid in past for event in timelines[nid]))
    limit = timeline_limit(context)
    news = []
    for room in (*groups.fresh, *groups.joined):
        nid = room.room_nid
        events, is_cut = _visible(past[nid], timelines[nid], limit)
        is_complete = nid in current
        state = current[nid] if is_complete else changes.get(nid, {})
        is_limited = is_cut or (room.room_id in context.fresh_rooms and _is_behind_start(events))
        each = RoomNews(room, events, is_limited, state, is_complete, membership_at=past[nid].membership_at)
        if nid in fresh:
            each.members = fresh[nid].senders
            sees_all = len(events) == len(timelines[nid]) and context.filter.room.timeline.is_everything
            if sees_all and not context.uses_state_after:
                each.shown = fresh[nid].shown(limit)
        news.append(each)
    _add_summaries(transaction, context, news, heads)
    if is_lazy:
        _add_members(transaction, context, news)
    return news


def _left_news(
    transaction: Transaction, context: SyncContext, groups: Groups, timelines: Mapping[int, list[StoredEvent]]
) -> list[RoomNews]:
    rooms = groups.left
    whole = {}
    if context.since is None and rooms:
        whole = _by_room(stored_all(transaction, sql.state_at(transaction, [(r.room_nid, r.number) for r in rooms])))
    changes = _changes(transaction, context, rooms) if context.since is not None else whole
    past = pasts(transaction, context.user_id, [room.room_nid for room in rooms])
    learn(transaction, past, (event for nid in past for event in timelines[nid]))
    news = []
    for room in rooms:
        events, is_cut = _visible(past[room.room_nid], timelines[room.room_nid], timeline_limit(context))
        state = changes.get(room.room_nid, {})
        end = Place(*events[-1].place) if events else END
        see = past[room.room_nid].membership_at
        news.append(RoomNews(room, events, is_cut, state, context.since is None, membership_at=see, end=end))
    return news


def _ended_news(room: UserRoom, event: StoredEvent | None) -> RoomNews:
    """An invite or knock that is over: the event that ended it, if one did."""
    if event is None:
        return RoomNews(room, [], False, {})
    return RoomNews(room, [event], False, {event.event.key: event}, membership_at=lambda _: "leave")


def _visible(past: Past, events: Sequence[StoredEvent], limit: int) -> tuple[list[StoredEvent], bool]:
    """What the reader may see of a room's newest events; whether there was more than that, or something hidden."""
    seen = past.visible(events)
    return seen, len(events) > limit or len(seen) < len(events)


def _is_behind_start(events: Sequence[StoredEvent]) -> bool:
    """Whether the room has a past before these events."""
    return not events or bool(events[0].event.prev_event_ids)


def _by_room(events: Iterable[StoredEvent]) -> dict[int, dict[StateKey, StoredEvent | None]]:
    found: dict[int, dict[StateKey, StoredEvent | None]] = {}
    for event in events:
        found.setdefault(event.room_nid, {})[event.event.key] = event
    return found


def _whole_state(
    transaction: Transaction, rooms: Sequence[UserRoom], is_lazy: bool
) -> dict[int, dict[StateKey, StoredEvent | None]]:
    nids = [room.room_nid for room in rooms]
    found = _by_room(stored_all(transaction, sql.current_state(transaction, nids, has_members=not is_lazy)))
    return {nid: found.get(nid, {}) for nid in nids}


def _changes(
    transaction: Transaction, context: SyncContext, rooms: Sequence[UserRoom]
) -> dict[int, dict[StateKey, StoredEvent | None]]:
    """What changed in the trunks since the client last asked."""
    if context.since is None or not rooms:
        return {}
    since = context.since
    asked = [(r.room_nid, since.room_floor(r.shard), _bounds(context, r)[1]) for r in rooms]
    rows = state_sql.trunk_between(transaction, asked)
    last = {(nid, kind, state_key): event_id for nid, kind, state_key, _, _, _, event_id, _ in rows}
    events = stored_by_id(transaction, [event_id for event_id in last.values() if event_id is not None])
    found: dict[int, dict[StateKey, StoredEvent | None]] = {}
    for (nid, kind, state_key), event_id in last.items():
        found.setdefault(nid, {})[kind, state_key] = events[event_id] if event_id is not None else None
    return found


def stored_by_id(transaction: Transaction, event_ids: Sequence[str]) -> dict[str, StoredEvent]:
    """Stored events by id."""
    if not event_ids:
        return {}
    return {event.event_id: event for event in stored_all(transaction, events_sql.by_ids(transaction, event_ids))}


def _add_summaries(
    transaction: Transaction,
    context: SyncContext,
    news: Sequence[RoomNews],
    heads: Mapping[int, tuple[int, int, int]],
) -> None:
    """Member counts and heroes, where a client knows nothing yet or membership has changed."""
    concerned = [each for each in news if each.is_complete or any(key[0] == "m.room.member" for key in each.changes)]
    named = sql.named_rooms(transaction, [each.room.room_nid for each in concerned if not each.is_complete])
    named |= {each.room.room_nid for each in concerned if each.is_complete and _has_name(each.changes)}
    unnamed = [each.room.room_nid for each in concerned if each.room.room_nid not in named]
    heroes = sql.heroes(transaction, unnamed, context.user_id)
    for each in concerned:
        _, joined, invited = heads[each.room.room_nid]
        each.summary = {"m.joined_member_count": joined, "m.invited_member_count": invited}
        if each.room.room_nid in unnamed:
            each.summary["m.heroes"] = _heroes_of(heroes.get(each.room.room_nid, []))


def _has_name(state: Changes) -> bool:
    return any((kind, "") in state for kind in ("m.room.name", "m.room.canonical_alias"))


def _heroes_of(members: Sequence[tuple[str, str]]) -> list[str]:
    """Those who are there; those who have gone, only if nobody is."""
    there = [user_id for user_id, membership in members if membership in ("join", "invite")]
    return there or [user_id for user_id, _ in members]


def _add_members(transaction: Transaction, context: SyncContext, news: Sequence[RoomNews]) -> None:
    """The membership of timelines' senders, heroes and the reader, for lazily loading clients."""
    asked: set[tuple[int, str]] = set()
    for each in news:
        nid = each.room.room_nid
        asked.update((nid, sender) for event in each.timeline if not _is_known(each, sender := event.event.sender))
        if each.is_complete and not _is_known(each, context.user_id):
            asked.add((nid, context.user_id))
        heroes = each.summary.get("m.heroes")
        asked.update((nid, hero) for hero in (heroes if isinstance(heroes, list) else ()) if not _is_known(each, hero))
    found = _by_room(stored_all(transaction, sql.members(transaction, sorted(asked))))
    for each in news:
        members = found.get(each.room.room_nid, {})
        each.members = {**each.members, **{key: event for key, event in members.items() if event is not None}}


def _is_known(news: RoomNews, user_id: str) -> bool:
    return ("m.room.member", user_id) in news.members


def _transaction_ids(transaction: Transaction, context: SyncContext, news: Sequence[RoomNews]) -> dict[str, str]:
    """The transaction ids of this device's own events, of which state has none."""
    device_id, user_id = context.requester.device_id, context.user_id
    timelines = (event for each in news for event in each.timeline)
    own = [event for event in timelines if event.event.state_key is None and event.event.sender == user_id]
    if device_id is None or not own:
        return {}
    nids = sorted({event.room_nid for event in own})
    return events_sql.transaction_ids(transaction, user_id, device_id, nids, [e.event_id for e in own])
