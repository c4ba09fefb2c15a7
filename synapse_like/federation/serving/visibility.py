"""Which events of a room another server may see: what its users might, by the history visibility at each event.

An event that it may not see is redacted for it, so that the graph stays whole. Source: Client-Server API, "Room History
Visibility"; server-server API, "Backfilling and retrieving missing events".
"""

from collections.abc import Mapping, Sequence

from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.events import Event
from synapse_like.matrix.visibility import Visibility, visibility_of
from synapse_like.rooms.access import VISIBILITY_KEY
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.facts import Kind, StateRef
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.sql import access as access_sql
from synapse_like.rooms.sql.state_history import Point, members_of_server
from synapse_like.toolkit.db import Transaction

_UNPLACED = (Kind.OUTLIER, Kind.OUT_OF_BAND)


def shown_to(transaction: Transaction, server: str, room_nid: int, events: Sequence[StoredEvent]) -> list[Event]:
    """Events as a server that is in the room now gets them: redacted where it may not see them."""
    placed = [event for event in events if event.kind not in _UNPLACED]
    asked = [
        (index, room_nid, event.before.branch, event.before.version, *VISIBILITY_KEY)
        for index, event in enumerate(placed)
    ]
    found: dict[int, str] = dict(access_sql.contents_at(transaction, asked))
    visibility: dict[str, Visibility] = {}
    for index, event in enumerate(placed):
        content = parsed(found[index])["content"] if index in found else None
        visibility[event.event_id] = _at(event.event, visibility_of(content))
    standings: dict[StateRef, frozenset[str]] = {}
    shown = []
    for event in events:
        is_shown = _is_shown(transaction, server, event, visibility, standings)
        shown.append(event.event if is_shown else event.event.redacted())
    return shown


def _at(event: Event, before: Visibility) -> Visibility:
    """The visibility of an event: a change of it counts if either value shows it."""
    if event.is_state and event.key == VISIBILITY_KEY:
        return min(before, visibility_of(event.content), key=list(Visibility).index)
    return before


def _is_shown(
    transaction: Transaction,
    server: str,
    event: StoredEvent,
    visibility: Mapping[str, Visibility],
    standings: dict[StateRef, frozenset[str]],
) -> bool:
    value = visibility.get(event.event_id)
    if value is None:
        return event.event.is_state
    if value in (Visibility.WORLD_READABLE, Visibility.SHARED) or server_of(event.event.sender) == server:
        return True
    if event.event.type == "m.room.member" and server_of(event.event.state_key or "") == server:
        return True
    ref = event.before
    if ref not in standings:
        standings[ref] = _memberships(transaction, event.room_nid, ref, server)
    wanted = {"join", "invite"} if value is Visibility.INVITED else {"join"}
    return not wanted.isdisjoint(standings[ref])


def _memberships(transaction: Transaction, room_nid: int, ref: StateRef, server: str) -> frozenset[str]:
    """The memberships that users of a server have in a state."""
    rows = members_of_server(transaction, Point(room_nid, ref.branch, ref.version), server)
    contents = [parsed(text)["content"] for user_id, text in rows if server_of(user_id) == server]
    return frozenset(str(content.get("membership")) for content in contents)
