"""The state of rooms, for those who may look at it. Each answer comes from one snapshot and at most three queries."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from synapse_like.features.history import Token, seen_in
from synapse_like.features.room_state import sql
from synapse_like.matrix.errors import NotFound
from synapse_like.rooms.event_store import EventStore, StoredEvent, known_or_read
from synapse_like.rooms.sql.state_history import Part
from synapse_like.rooms.state_history import event_at, events_at
from synapse_like.rooms.timeline import Right, View, rendered, view_of
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester

MOST_REMEMBERED = 2_000
"""So many events of a state that was read are kept in memory: a huge room does not push out all others."""

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

    def __init__(self, database: Database, clock: Clock, events: EventStore) -> None:
        self._database = database
        self._clock = clock
        self._peek = events.peek
        self._remember = events.remember_all

    async def state(self, requester: Requester, room_id: str) -> list[bytes]:
        """All state events, rendered. Raises Forbidden."""

        def read(txn: Transaction, view: View) -> list[StoredEvent]:
            return events_at(txn, view.room_nid, view.state_ref, peek=self._peek)

        view, events = await self._read(requester, room_id, read)
        self._remember(events[:MOST_REMEMBERED])
        return self._rendered(view, events, requester)

    async def content(self, requester: Requester, room_id: str, key: tuple[str, str]) -> bytes:
        """The content of one state event, as JSON. Raises Forbidden, NotFound."""
        _, event = await self._one(requester, room_id, key)
        return _written(event.event.content)

    async def event(self, requester: Requester, room_id: str, key: tuple[str, str]) -> bytes:
        """One whole state event, rendered. Raises Forbidden, NotFound."""
        view, event = await self._one(requester, room_id, key)
        return self._rendered(view, [event], requester)[0]

    async def members(self, requester: Requester, room_id: str, question: MemberQuestion) -> list[bytes]:
        """Membership events, rendered. Raises Forbidden."""

        def read(txn: Transaction, view: View) -> list[StoredEvent]:
            if view.right is not Right.DEPARTED and question.at is None:
                rows = sql.members(txn, view.room_nid, question.membership, question.not_membership)
                return known_or_read(txn, rows, self._peek)
            upto = None if question.at is None else seen_in(question.at, view.shard)
            events = events_at(txn, view.room_nid, view.state_ref, Part(has_others=False), upto=upto, peek=self._peek)
            return [event for event in events if question.allows(event.event.membership)]

        view, events = await self._read(requester, room_id, read)
        self._remember(events[:MOST_REMEMBERED])
        return self._rendered(view, events, requester)

    async def joined_members(self, requester: Requester, room_id: str) -> dict[str, dict[str, str | None]]:
        """Names and avatars of those who are in the room, by user id. Raises Forbidden, also for who has left."""

        def read(txn: Transaction, view: View) -> dict[str, dict[str, str | None]]:
            rows = sql.joined_profiles(txn, view.room_nid)
            return {user_id: {"display_name": name, "avatar_url": url} for user_id, name, url in rows}

        return (await self._read(requester, room_id, read, allows_departed=False))[1]

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

    def _rendered(self, view: View, events: list[StoredEvent], requester: Requester) -> list[bytes]:
        return rendered(view.past, events, requester.device_id, self._clock.now_ms())


def _written(content: Mapping[str, Any]) -> bytes:
    """JSON. Old rooms may hold numbers and text that only the slow writer takes."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:
        return json.dumps(content).encode()
