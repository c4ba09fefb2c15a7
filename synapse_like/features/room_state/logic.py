"""The state of rooms, for those who may look at it. Each answer comes from one snapshot and at most three queries.

Whole states are written once (`known_states`), and then only finished for each reader.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from synapse_like.features.history import Token, seen_in
from synapse_like.features.room_state import sql
from synapse_like.features.room_state.known_states import KnownStates, WrittenState, write
from synapse_like.matrix.errors import NotFound
from synapse_like.rooms.event_store import EventStore, StoredEvent, known_or_read
from synapse_like.rooms.sql.state_history import Part
from synapse_like.rooms.state_history import event_at, events_at, rows_at
from synapse_like.rooms.timeline import Right, View, rendered, view_of
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.http.requester import Requester

MOST_REMEMBERED = 2_000
"""So many events of a past state are kept in memory: a huge room does not push out all others."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MemberQuestion:
    """Which members are wanted: with this membership, with any other than this, as of a token."""

    membership: str | None = None
    not_membership: str | None = None
    at: Token | None = None

    def allows(self, membership: str | None) -> bool:
        """Whether a member with that membership is wanted."""
        if self.membership is not None and membership != self.membership:
            return False
        return self.not_membership is None or membership != self.not_membership


class RoomStates:
    """Reads the state of rooms for users."""

    def __init__(self, database: Database, clock: Clock, events: EventStore, known: KnownStates) -> None:
        self._database = database
        self._clock = clock
        self._peek = events.peek
        self._remember = events.remember_all
        self.known = known

    async def state(self, requester: Requester, room_id: str) -> bytes:
        """All state events, as a JSON array. Raises Forbidden."""
        return await self._whole(requester, room_id, (), lambda txn, view: rows_at(txn, view.room_nid, view.state_ref))

    async def content(self, requester: Requester, room_id: str, key: tuple[str, str]) -> bytes:
        """The content of one state event, as JSON. Raises Forbidden, NotFound."""
        _, event = await self._one(requester, room_id, key)
        return _written(event.event.content)

    async def event(self, requester: Requester, room_id: str, key: tuple[str, str]) -> bytes:
        """One whole state event, rendered. Raises Forbidden, NotFound."""
        view, event = await self._one(requester, room_id, key)
        return self._rendered(view, [event], requester)[0]

    async def members(self, requester: Requester, room_id: str, question: MemberQuestion) -> bytes:
        """Membership events, as a JSON array. Raises Forbidden."""
        if question.at is None:
            wanted, unwanted = question.membership, question.not_membership
            return await self._whole(
                requester,
                room_id,
                ("members", wanted, unwanted),
                lambda txn, view: sql.members(txn, view.room_nid, wanted, unwanted),
                question,
            )
        view, events = await self._read(requester, room_id, lambda txn, view: self._members_then(txn, view, question))
        return self._array(view, events, requester)

    async def joined_members(self, requester: Requester, room_id: str) -> dict[str, dict[str, str | None]]:
        """Names and avatars of those who are in the room, by user id. Raises Forbidden, also for who has left."""

        def read(txn: Transaction, view: View) -> dict[str, dict[str, str | None]]:
            rows = sql.joined_profiles(txn, view.room_nid)
            return {user_id: {"display_name": name, "avatar_url": url} for user_id, name, url in rows}

        return (await self._read(requester, room_id, read, allows_departed=False))[1]

    async def _whole(
        self,
        requester: Requester,
        room_id: str,
        part: tuple[str | None, ...],
        rows: Callable[[Transaction, View], list[Row]],
        question: MemberQuestion | None = None,
    ) -> bytes:
        """A part of the state now, or all of it at the departure of who has left."""

        def read(txn: Transaction, view: View) -> WrittenState | list[StoredEvent]:
            if view.right is Right.DEPARTED:
                if question is not None:
                    return self._members_then(txn, view, question)
                return known_or_read(txn, rows(txn, view), self._peek)
            key = view.room_nid, part
            state, is_good = self.known.get(key, view.stamp)
            if is_good:
                return state
            found = rows(txn, view)
            kept = {row[0]: state.opened[row[0]] for row in found if row[2] is None and row[0] in state.opened}
            events = known_or_read(txn, [row for row in found if row[0] not in kept], self._peek)
            state = write(events, kept)
            self.known.keep(key, view.stamp, state)
            return state

        view, found = await self._read(requester, room_id, read)
        if isinstance(found, WrittenState):
            return found.finished(view.past, self._clock.now_ms())
        return self._array(view, found, requester)

    def _members_then(self, txn: Transaction, view: View, question: MemberQuestion) -> list[StoredEvent]:
        """Members as of the question's token, or at the departure of who has left."""
        upto = None if question.at is None else seen_in(question.at, view.shard)
        events = events_at(txn, view.room_nid, view.state_ref, Part(has_others=False), upto=upto, peek=self._peek)
        return [event for event in events if question.allows(event.event.membership)]

    async def _one(self, requester: Requester, room_id: str, key: tuple[str, str]) -> tuple[View, StoredEvent]:
        def read(txn: Transaction, view: View) -> StoredEvent | None:
            return event_at(txn, view.room_nid, view.state_ref, key)

        view, event = await self._read(requester, room_id, read)
        if event is None:
            raise NotFound("There is no state event with that type and key")
        return view, event

    async def _read(
        self,
        requester: Requester,
        room_id: str,
        read: Callable[[Transaction, View], T],
        *,
        allows_departed: bool = True,
    ) -> tuple[View, T]:
        def within(txn: Transaction) -> tuple[View, T]:
            view = view_of(txn, requester.user_id, room_id, allows_departed=allows_departed)
            return view, read(txn, view)

        return await self._database.read(within)

    def _array(self, view: View, events: list[StoredEvent], requester: Requester) -> bytes:
        self._remember(events[:MOST_REMEMBERED])
        return b"[%b]" % b",".join(self._rendered(view, events, requester))

    def _rendered(self, view: View, events: list[StoredEvent], requester: Requester) -> list[bytes]:
        return rendered(view.past, events, requester.device_id, self._clock.now_ms())


def _written(content: Mapping[str, Any]) -> bytes:
    """JSON. Old rooms may hold numbers and text that only the slow writer takes."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:
        return json.dumps(content).encode()
