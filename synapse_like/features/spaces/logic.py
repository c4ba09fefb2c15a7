"""A space and its children, as another server or a user here may know them.

Source: server-server API, "Spaces"; client-server API, "Spaces", `m.space.child`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.features.directory import PublicRooms, RoomSummary
from synapse_like.features.spaces import sql
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import is_valid_room_id, is_valid_server_name
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database, Transaction

CHILD: Final = "m.space.child"
JOIN_RULES: Final = "m.room.join_rules"
SPACE: Final = "m.space"
MOST_CHILDREN: Final = 1_000
_OPEN: Final = ("public", "knock", "knock_restricted")
_RESTRICTED: Final = ("restricted", "knock_restricted")


Entered = Callable[[Transaction, Sequence[str], Sequence[str]], set[str]]
"""In which of some rooms who asks has one of some memberships."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of some rooms: summaries, state events by room, and in which rooms who asks is."""

    summaries: Mapping[str, RoomSummary]
    states: Mapping[str, Sequence[Event]]
    entered: set[str]

    def is_open(self, room_id: str) -> bool:
        """Whether who asks may look at the room, or could join or knock."""
        summary = self.summaries[room_id]
        if room_id in self.entered or summary.join_rule in _OPEN or summary.is_world_readable:
            return True
        return summary.join_rule in _RESTRICTED and not self.entered.isdisjoint(_allowed(self.states[room_id]))


class Spaces:
    """Answers questions about spaces."""

    def __init__(self, rooms: Rooms, database: Database, public_rooms: PublicRooms) -> None:
        self._rooms = rooms
        self._database = database
        self._public_rooms = public_rooms
        self._server_name = rooms.identity.server_name

    async def for_server(self, server: str, room_id: str, *, is_suggested_only: bool) -> dict[str, Any]:
        """A room, and its children as far as they are known here. Raises NotFound if the server may not know it."""
        room = await self.look_for_server(server, [room_id])
        if room_id not in room.summaries or not room.is_open(room_id):
            raise NotFound("This server does not know that room, or may not tell of it")
        entry = entry_with_children(room, room_id, is_suggested_only=is_suggested_only)
        ids = [event["state_key"] for event in entry["children_state"]]
        looked = await self.look_for_server(server, ids)
        known = [child for child in dict.fromkeys(ids) if child in looked.summaries]
        shown = [child for child in known if looked.is_open(child)]
        return {
            "room": entry,
            "children": [entry_of(looked, child) for child in shown],
            "inaccessible_children": [child for child in known if child not in shown],
        }

    async def look_for_server(self, server: str, room_ids: Sequence[str]) -> Looked:
        """What is known here of some rooms, for another server."""

        def entered(transaction: Transaction, rooms: Sequence[str], memberships: Sequence[str]) -> set[str]:
            return sql.entered(transaction, server, rooms, memberships)

        return await self._database.read(lambda txn: self._look(txn, entered, room_ids))

    async def look_for_user(self, user_id: str, room_ids: Sequence[str]) -> Looked:
        """What is known here of some rooms, for a user of this server."""

        def entered(transaction: Transaction, rooms: Sequence[str], memberships: Sequence[str]) -> set[str]:
            return sql.entered_by(transaction, user_id, rooms, memberships)

        return await self._database.read(lambda txn: self._look(txn, entered, room_ids))

    async def has_joined_one_of(self, user_id: str, room_ids: Sequence[str]) -> bool:
        """Whether a user of this server is in one of some rooms."""
        return bool(await self._database.read(lambda txn: sql.entered_by(txn, user_id, room_ids, ("join", "invite"))))

    def _look(self, transaction: Transaction, entered_by: Entered, room_ids: Sequence[str]) -> Looked:
        """What is known of those of the rooms that this server is in."""
        here = sql.entered(transaction, self._server_name, room_ids, ("join",))
        summaries = self._public_rooms.summaries(transaction, sorted(here))
        nids = [summary.room_nid for summary in summaries.values()]
        events = self._rooms.events.read(transaction, sql.state_ids(transaction, nids, (CHILD, JOIN_RULES)))
        states: dict[str, list[Event]] = {room_id: [] for room_id in summaries}
        for stored in events.values():
            states[stored.event.room_id].append(stored.event)
        asked = {*room_ids, *(room_id for events in states.values() for room_id in _allowed(events))}
        entered = entered_by(transaction, sorted(asked), ("join",))
        invited = entered_by(transaction, list(room_ids), ("invite",))
        return Looked(summaries, states, entered | invited)


def entry_with_children(looked: Looked, room_id: str, *, is_suggested_only: bool) -> dict[str, Any]:
    """A room as hierarchies show it, with the events that make its children."""
    is_space = looked.summaries[room_id].room_type == SPACE
    children = _children(looked.states[room_id], is_suggested_only=is_suggested_only) if is_space else []
    return {**entry_of(looked, room_id), "children_state": [_stripped(event) for event in children]}


def entry_of(looked: Looked, room_id: str) -> dict[str, Any]:
    """A room as hierarchies show it."""
    summary = looked.summaries[room_id]
    entry = summary.shown()
    if summary.join_rule in _RESTRICTED:
        entry["allowed_room_ids"] = sorted(_allowed(looked.states[room_id]))
    return entry


def _children(events: Iterable[Event], *, is_suggested_only: bool) -> list[Event]:
    """The children of a space: those with servers to join by, in the order of the space."""
    children = [event for event in events if event.type == CHILD and _is_child(event, is_suggested_only)]
    return sorted(children, key=_order)[:MOST_CHILDREN]


def _is_child(event: Event, is_suggested_only: bool) -> bool:
    via = event.content.get("via")
    if not isinstance(via, list) or not any(isinstance(each, str) and is_valid_server_name(each) for each in via):
        return False
    if not is_valid_room_id(event.key[1]) or "\0" in event.key[1]:
        return False
    return not is_suggested_only or event.content.get("suggested") is True


def _order(event: Event) -> tuple[bool, str, int, str]:
    order = event.content.get("order")
    is_good = isinstance(order, str) and len(order) <= 50 and all(" " <= each <= "~" for each in order)
    return not is_good, order if isinstance(order, str) and is_good else "", event.origin_server_ts, event.key[1]


def _allowed(events: Iterable[Event]) -> set[str]:
    """The rooms whose members may join a restricted room."""
    found: set[str] = set()
    for event in events:
        allow = event.content.get("allow") if event.type == JOIN_RULES else None
        for each in allow[:100] if isinstance(allow, list) else ():
            if isinstance(each, dict) and each.get("type") == "m.room_membership":
                room_id = each.get("room_id")
                if isinstance(room_id, str) and is_valid_room_id(room_id) and "\0" not in room_id:
                    found.add(room_id)
    return found


def _stripped(event: Event) -> dict[str, Any]:
    return {
        "type": event.type,
        "state_key": event.key[1],
        "sender": event.sender,
        "content": event.content,
        "origin_server_ts": event.origin_server_ts,
    }
