"""What one reader may see of one room: the right to look, the part of the timeline that is open, pages of it.

Everything here runs within one snapshot, in a database thread. Rules of single events are in `matrix.visibility`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.errors import Forbidden
from synapse_like.matrix.visibility import Visibility, visibility_of
from synapse_like.rooms.access import VISIBILITY_KEY, Past, PastOfKey, learn
from synapse_like.rooms.event_store import Peek, StoredEvent, no_memory, stored
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.places import END, Place
from synapse_like.rooms.sql import timeline as sql
from synapse_like.rooms.sql.state_history import NEWEST_VERSION
from synapse_like.rooms.sql.timeline import Span, Wanted
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

START = Place(0, -(2**62))
"""Before every event."""
_NOTHING_SEEN = -(2**63)


class Right(Enum):
    """By what right somebody looks into a room."""

    JOINED = "joined"
    DEPARTED = "departed"
    """Was joined once: sees the room up to the departure."""
    PEEKING = "peeking"
    """Everybody may: the room is world-readable now."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a span: a place, or (if `seen` is set) just behind the newest live event with a number up to it."""

    place: Place
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A room as one user may look at it."""

    room_nid: int
    shard: int
    past: Past
    right: Right
    end: Bound
    """How far the view goes."""
    version: int
    """The trunk's version that ends it."""
    stamp: tuple[int | None, ...]
    """Differs when the current state has changed, or an event of the room was redacted."""

    @property
    def state_ref(self) -> StateRef:
        """The room's state as this user may know it: now, or at the departure."""
        return StateRef(TRUNK, self.version)

    @property
    def has_joined(self) -> bool:
        """Whether the user is in the room now."""
        return self.right is Right.JOINED

    @property
    def membership(self) -> str | None:
        """The user's membership now."""
        return self.past.membership.at(NEWEST_VERSION)


def view_of(transaction: Transaction, user_id: str, room_id: str, *, allows_departed: bool = True) -> View:
    """A user's view of a room, in one query.

    Raises Forbidden for those who never joined (or have forgotten the room, or have left it while `allows_departed` is
    false) where it is not world-readable, and for rooms that do not exist.
    """
    past = Past(user_id)
    members: list[tuple[int, Place]] = []
    is_forgotten = False
    rows = sql.view(transaction, user_id, room_id)
    for _, _, kind, version, number, depth, text, forgotten, *_ in rows:
        is_visibility = kind == VISIBILITY_KEY[0]
        _append(past.visibility if is_visibility else past.membership, version, text, kind)
        if not is_visibility:
            members.append((version, Place(depth or 0, number + 1)))
            is_forgotten = bool(forgotten)
    if rows:
        room_nid, shard, stamp = rows[0][0], rows[0][1], rows[0][8:]
        memberships = past.membership.values
        if memberships and memberships[-1] == "join":
            return View(room_nid, shard, past, Right.JOINED, Bound(END), NEWEST_VERSION, stamp)
        if "join" in memberships and allows_departed and not is_forgotten:
            version, place = members[_last(memberships, "join") + 1]
            return View(room_nid, shard, past, Right.DEPARTED, Bound(place, place.number - 1), version, stamp)
        if _visibility_now(past) is Visibility.WORLD_READABLE:
            return View(room_nid, shard, past, Right.PEEKING, Bound(END), NEWEST_VERSION, stamp)
    raise Forbidden("You are not in this room, and it is not open to everybody")


def page(
    transaction: Transaction,
    view: View,
    ends: tuple[Bound, Bound],
    wanted: Wanted,
    device_id: str | None,
    bound: int,
    *,
    is_backward: bool,
    peek: Peek = no_memory,
) -> list[StoredEvent]:
    """The first `bound` events between two ends, as far as the view goes; not yet checked against the view's past."""
    span = Span(_end(ends[0]), _end(_nearer(ends[1], view.end)))
    reader = (view.past.user_id, device_id or "")
    rows = sql.page(transaction, view.room_nid, span, wanted, reader, bound, is_backward=is_backward)
    events = own_events(rows, reader, peek)
    learn(transaction, {view.room_nid: view.past}, events)
    return events


def around(
    transaction: Transaction,
    view: View,
    event_id: str,
    device_id: str | None,
    *,
    before: int,
    after: int,
    peek: Peek = no_memory,
) -> tuple[list[StoredEvent], StoredEvent | None, list[StoredEvent]]:
    """An event with its neighbours on both sides, oldest first; None if the view has no such event.

    Neighbours are not yet checked against the view's past; the event is.
    """
    reader = (view.past.user_id, device_id or "")
    events = own_events(sql.around(transaction, view.room_nid, event_id, reader, before, after), reader, peek)
    learn(transaction, {view.room_nid: view.past}, events)
    index = next((i for i, event in enumerate(events) if event.event_id == event_id), None)
    if index is None or not view.past.shows(events[index]):
        return [], None, []
    later = [event for event in events[index + 1 :] if Place(*event.place) < view.end.place]
    return events[:index], events[index], later


def event_in_view(transaction: Transaction, view: View, event_id: str, device_id: str | None) -> StoredEvent | None:
    """One event of the timeline, if the view shows it."""
    reader = (view.past.user_id, device_id or "")
    row = sql.one(transaction, view.room_nid, event_id, reader)
    events = own_events([row] if row else [], reader)
    learn(transaction, {view.room_nid: view.past}, events)
    return events[0] if events and view.past.shows(events[0]) else None


def place_after(event: StoredEvent) -> Place:
    """The place just behind an event."""
    depth, number = event.place
    return Place(depth, number + 1)


def rendered(past: Past, events: Iterable[StoredEvent], device_id: str | None, now_ms: int) -> list[bytes]:
    """Events in client format with their rooms, as this reader's device gets them."""
    own = (past.user_id, device_id)
    return [
        event.render(
            now_ms,
            has_room_id=True,
            transaction_id=event.transaction[2] if event.transaction and event.transaction[:2] == own else None,
            membership=past.membership_at(event),
        )
        for event in events
    ]


def whole_event(row: Row, peek: Peek = no_memory) -> StoredEvent:
    """An event and its redaction out of the columns `sql.timeline.WHOLE`, or from memory if it is not older there."""
    kept = peek(row[0])
    if kept is not None and kept.number == row[3] and (row[17] is None or kept.redaction is not None):
        return kept
    event = stored(row)
    if row[17] is not None:
        event_id, number, kind, received_ms, branch, version, text, extras = row[18:26]
        head = (event_id, row[17], row[2], number, None, kind, received_ms, branch, version, None, 0, 0)
        event.redaction = stored((*head, text, extras, *row[14:17], None))
    return event


def own_events(rows: Sequence[Row], reader: tuple[str, str], peek: Peek = no_memory) -> list[StoredEvent]:
    """Events out of `WHOLE` and a transaction id of the reader (user, device)."""
    events = []
    for row in rows:
        event = whole_event(row, peek)
        if row[26] is not None and event.transaction is None:
            event = replace(event, transaction=(*reader, row[26]))
        events.append(event)
    return events


def _append(key: PastOfKey, version: int, text: str | None, kind: str) -> None:
    name = "history_visibility" if kind == VISIBILITY_KEY[0] else "membership"
    value = parsed(text)["content"].get(name) if text is not None else None
    key.versions.append(version)
    key.values.append(value if isinstance(value, str) else None)


def _last(values: Sequence[str | None], value: str) -> int:
    return len(values) - 1 - values[::-1].index(value)


def _visibility_now(past: Past) -> Visibility:
    value = past.visibility.at(NEWEST_VERSION)
    return visibility_of(None if value is None else {"history_visibility": value})


def _nearer(one: Bound, other: Bound) -> Bound:
    """The earlier of two ends; `other` is known both as a place and by number."""
    if one.seen is not None and other.seen is not None:
        return one if one.seen <= other.seen else other
    if one.seen is not None:
        return one
    return one if one.place <= other.place else other


def _end(bound: Bound) -> tuple[int, int, int]:
    seen = _NOTHING_SEEN if bound.seen is None else bound.seen
    return bound.place.depth, bound.place.number, seen
