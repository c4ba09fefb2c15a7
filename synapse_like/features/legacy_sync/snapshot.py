"""GET /initialSync and GET /rooms/{id}/initialSync: rooms as they are, with their newest messages.

A fixed number of questions, each asked once for all rooms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

from replication.numbers import pack
from synapse_like.features.account_data import GLOBAL, UserData
from synapse_like.features.legacy_sync.places import place_in
from synapse_like.rooms import timeline
from synapse_like.rooms.access import Past, learn, pasts
from synapse_like.rooms.event_store import StoredEvent, stored_all
from synapse_like.rooms.front import Rooms, UserRoom
from synapse_like.rooms.memberships import rooms_in
from synapse_like.rooms.places import END, Place
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.sql.timeline import Wanted
from synapse_like.rooms.state_history import events_at
from synapse_like.rooms.timeline import START, Bound, View, rendered, view_of
from synapse_like.sync import sql as sync_sql
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester

Json = dict[str, Any]


@dataclass(slots=True)
class _Everything:
    """What a snapshot holds for /initialSync."""

    now: SyncToken
    rooms: list[UserRoom]
    timelines: dict[int, list[StoredEvent]] = field(default_factory=dict)
    states: dict[int, list[StoredEvent]] = field(default_factory=dict)
    past: Mapping[int, Past] = field(default_factory=dict)
    invites: dict[str, StoredEvent] = field(default_factory=dict)


class Snapshots:
    """Reads rooms as they are now."""

    def __init__(self, database: Database, clock: Clock, rooms: Rooms, data: UserData) -> None:
        self._database = database
        self._clock = clock
        self._rooms = rooms
        self._data = data

    async def everything(self, requester: Requester, limit: int, *, has_left_rooms: bool) -> Json:
        """All rooms of a user."""
        user_id = requester.user_id
        data = await self._data.get_all(user_id)
        found = await self._database.read(lambda txn: self._read(txn, user_id, limit, has_left_rooms))
        return {
            "end": found.now.encode(),
            "presence": [],
            "receipts": [],
            "account_data": _account_data(data.get(GLOBAL, {})),
            "rooms": [self._room(requester, room, found, data.get(room.room_id, {})) for room in found.rooms],
        }

    async def one(self, requester: Requester, room_id: str, limit: int) -> Json:
        """One room, of which the user is or was a member, or that everybody may read. Raises Forbidden."""
        data = await self._data.get_all(requester.user_id)

        def read(txn: Transaction) -> tuple[View, SyncToken, list[StoredEvent], list[StoredEvent]]:
            view = view_of(txn, requester.user_id, room_id)
            now = place_in(txn, self._rooms.reader)
            ends = (Bound(START), Bound(END))
            events = timeline.page(txn, view, ends, Wanted(), requester.device_id, limit, is_backward=True)
            return view, now, view.past.visible(events[::-1]), events_at(txn, view.room_nid, view.state_ref)

        view, now, events, state = await self._database.read(read)
        answer = {
            "room_id": room_id,
            "messages": self._messages(requester, view.past, events, now),
            "state": self._rendered(requester, view.past, state),
            "account_data": _account_data(data.get(room_id, {})),
            "presence": [],
            "receipts": [],
        }
        return answer if view.membership is None else {**answer, "membership": view.membership}

    def _read(self, txn: Transaction, user_id: str, limit: int, has_left_rooms: bool) -> _Everything:
        now = place_in(txn, self._rooms.reader)
        found = _Everything(now, _shown(rooms_in(txn, user_id).values(), has_left_rooms))
        inside = [room for room in found.rooms if room.membership in ("join", "leave", "ban")]
        joined = [room.room_nid for room in inside if room.membership == "join"]
        left = [(room.room_nid, room.number) for room in inside if room.membership != "join"]
        spans = [(room.room_nid, pack(room.shard, 0), _upto(room, now)) for room in inside]
        found.past = pasts(txn, user_id, [room.room_nid for room in inside])
        for event in stored_all(txn, events_sql.newest_of_rooms(txn, spans, limit) if limit else []):
            found.timelines.setdefault(event.room_nid, []).append(event)
        states = [*sync_sql.current_state(txn, joined, has_members=True), *sync_sql.state_at(txn, left)]
        for event in stored_all(txn, states):
            found.states.setdefault(event.room_nid, []).append(event)
        learn(txn, found.past, (event for events in found.timelines.values() for event in events))
        for nid, events in found.timelines.items():
            found.timelines[nid] = found.past[nid].visible(events[max(0, len(events) - limit) :])
        invites = [room.event_id for room in found.rooms if room.membership in ("invite", "knock")]
        found.invites = self._rooms.events.read(txn, invites) if invites else {}
        return found

    def _room(self, requester: Requester, room: UserRoom, found: _Everything, data: Mapping[str, Any]) -> Json:
        answer: Json = {"room_id": room.room_id, "membership": room.membership, "account_data": _account_data(data)}
        invite = found.invites.get(room.event_id)
        if invite is not None:
            shown = self._rendered(requester, Past(requester.user_id), [invite])
            return {**answer, "invite": shown[0], "inviter": room.sender}
        past = found.past.get(room.room_nid)
        if past is None or "join" not in past.membership.values:
            return answer
        events, state = found.timelines.get(room.room_nid, []), found.states.get(room.room_nid, [])
        answer["messages"] = self._messages(requester, past, events, found.now)
        return {**answer, "state": self._rendered(requester, past, state)}

    def _messages(self, requester: Requester, past: Past, events: Sequence[StoredEvent], now: SyncToken) -> Json:
        start = Place(*events[0].place) if events else END
        chunk = self._rendered(requester, past, events)
        return {"chunk": chunk, "start": start.encode(), "end": now.encode()}

    def _rendered(self, requester: Requester, past: Past, events: Sequence[StoredEvent]) -> list[Raw]:
        return list(map(Raw, rendered(past, events, requester.device_id, self._clock.now_ms())))


def _shown(rooms: Any, has_left_rooms: bool) -> list[UserRoom]:
    kinds = ("join", "invite", "knock", *(("leave", "ban") if has_left_rooms else ()))
    return [room for room in rooms if room.membership in kinds and not room.is_forgotten]


def _upto(room: UserRoom, now: SyncToken) -> int:
    return pack(room.shard, now.rooms[room.shard]) if room.membership == "join" else room.number


def _account_data(contents: Mapping[str, Any]) -> list[Json]:
    return [{"type": kind, "content": content} for kind, content in contents.items()]
