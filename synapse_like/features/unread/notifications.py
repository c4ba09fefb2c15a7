"""The list of notifications: what lately notified a user, newest first, read or not.

Nothing is stored for it: the newest events of the rooms in which something happened last are evaluated by the rules and
power levels of now. So it reaches back as far as `ROOMS` rooms and `EVENTS_OF_A_ROOM` events of each.
Source: Client-Server API, "Listing notifications".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from replication.numbers import pack
from synapse_like.features.account_data import UserData
from synapse_like.features.push_rules import PushRules
from synapse_like.features.unread.counting import MAIN, Standing
from synapse_like.features.unread.sql import reading
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels
from synapse_like.matrix.push_rules import Action, EventView, PushMember, RoomContext, Rule, Ruleset
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.access import pasts
from synapse_like.rooms.event_store import stored_all
from synapse_like.rooms.front import Rooms, StoredEvent, UserRoom
from synapse_like.rooms.memberships import rooms_in
from synapse_like.rooms.sql import events as events_sql
from synapse_like.toolkit.db import Database, Transaction

ROOMS = 50
EVENTS_OF_A_ROOM = 50
_END_OF_LOG = (1 << 44) - 1

Place = tuple[int, int]
"""(time of receipt in ms, number of the event): the order of the list."""


@dataclass(frozen=True, slots=True)
class Notification:
    """An event, and what the rules say about it."""

    event: StoredEvent
    room_id: str
    actions: Sequence[Action]
    is_read: bool

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return self.event.received_ms, self.event.event_nid


@dataclass(slots=True)
class _Found:
    """What a snapshot holds."""

    rooms: dict[int, UserRoom]
    heads: dict[int, reading.Head]
    standings: dict[int, Standing]
    state: dict[str, StoredEvent]
    events: list[StoredEvent] = field(default_factory=list)


class Notifications:
    """Puts the list together."""

    def __init__(self, database: Database, rooms: Rooms, rules: PushRules, data: UserData) -> None:
        self._database = database
        self._rooms = rooms
        self._rules = rules
        self._data = data

    async def page(
        self, user_id: str, before: Place | None, limit: int, *, only_highlights: bool = False
    ) -> tuple[list[Notification], bool]:
        """Up to `limit` notifications before a place, and whether there are more."""
        ignored = await self._data.ignored_users(user_id)
        rules = (await self._rules.of(user_id)).silencing(ignored)
        found = await self._database.read(lambda txn: self._read(txn, user_id))
        page: list[Notification] = []
        for notification in _notifications(found, user_id, rules, before, only_highlights=only_highlights):
            if len(page) == limit:
                return page, True
            page.append(notification)
        return page, False

    def _read(self, transaction: Transaction, user_id: str) -> _Found:
        joined = {room.room_nid: room for room in rooms_in(transaction, user_id).values() if room.membership == "join"}
        heads = reading.liveliest(transaction, user_id, sorted(joined), ROOMS)
        rooms = {nid: joined[nid] for nid in heads}
        asked = [(nid, pack(room.shard, 0), pack(room.shard, _END_OF_LOG)) for nid, room in rooms.items()]
        rows = events_sql.newest_of_rooms(transaction, asked, EVENTS_OF_A_ROOM + 1) if asked else []
        past = pasts(transaction, user_id, list(rooms))
        state_ids = [event_id for head in heads.values() for event_id in head.state.values()]
        return _Found(
            rooms,
            heads,
            reading.standings(transaction, user_id, list(rooms)),
            self._rooms.events.read(transaction, state_ids) if state_ids else {},
            [e for e in stored_all(transaction, rows) if past[e.room_nid].membership_at(e) == "join"],
        )


def _notifications(
    found: _Found, user_id: str, rules: Ruleset, before: Place | None, *, only_highlights: bool
) -> Iterator[Notification]:
    levels = {nid: _power_levels(found, nid) for nid in found.rooms}
    for event in sorted(found.events, key=lambda e: (e.received_ms, e.event_nid), reverse=True):
        is_before = before is None or (event.received_ms, event.event_nid) < before
        if not is_before or event.redaction is not None or event.event.sender == user_id:
            continue
        head = found.heads[event.room_nid]
        power = levels[event.room_nid]
        context = RoomContext(head.joined_members, power.of(event.event.sender), power.notifications)
        rule = _rule_for(rules, event.event, context, PushMember(user_id, head.display_name))
        if rule is None or not rule.result.notify or (only_highlights and not rule.result.highlight):
            continue
        read_upto = found.standings[event.room_nid].mark_of(event.thread or MAIN)
        yield Notification(
            event, found.rooms[event.room_nid].room_id, rule.actions, is_read=(event.number or 0) <= read_upto
        )


def _rule_for(rules: Ruleset, event: Event, context: RoomContext, member: PushMember) -> Rule | None:
    view = EventView(event)
    return next((rule for rule in rules.in_order if rule.matches(view, context, member)), None)


def _power_levels(found: _Found, room_nid: int) -> PowerLevels:
    state: Mapping[str, str] = found.heads[room_nid].state
    create = found.state[state["m.room.create"]].event
    levels_id = state.get("m.room.power_levels")
    version: RoomVersion = create.room_version
    return PowerLevels(create, found.state[levels_id].event.content if levels_id else None, version)
