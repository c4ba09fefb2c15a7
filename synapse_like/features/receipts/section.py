"""Receipts in /sync: m.receipt events, one per room, or two where a user's receipts fall on the same event."""

from collections.abc import Iterable
from typing import Any

import orjson

from replication.numbers import pack
from replication.reader import Reader
from synapse_like.features.receipts import sql
from synapse_like.features.receipts.logic import READ_PRIVATE, UNTHREADED
from synapse_like.features.receipts.stream import RECEIPTS
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction

Shown = tuple[str, str, str, str, str, int]
"""(room id, user id, type, thread, event id, time in ms)"""


class ReceiptsSection:
    """The newest receipts of everybody in the joined rooms; private ones only of the reader."""

    name = "receipts"
    is_ephemeral = False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what is new, from recent facts."""
        if context.since is not None and context.since.rooms == context.now.rooms:
            return True
        recent = self._reader.recent(RECEIPTS)
        newest: dict[tuple[str, str, str, str], Shown] = {}
        for room in context.touched_joined():
            after = context.room_after(room)
            facts = None if after is None else recent.since(room.room_id, after)
            if facts is None:
                return False
            for fact in facts:
                key = (room.room_id, fact.user_id, fact.type, fact.thread)
                newest[key] = (*key, fact.event_id, fact.at_ms)
        _put(context, response, newest.values())
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add what is new, or all; one query."""
        rooms = context.joined()
        asked = [
            (room.room_nid, pack(room.shard, 0) if (after := context.room_after(room)) is None else after)
            for room in rooms
        ]
        rows = sql.since(transaction, asked)
        _put(context, response, ((row[4], row[1], row[2], row[3], row[5], row[8]) for row in rows))


def _put(context: SyncContext, response: SyncResponse, receipts: Iterable[Shown]) -> None:
    chosen = context.filter.room.ephemeral
    if not chosen.allows_type("m.receipt"):
        return
    rooms: dict[str, list[dict[str, Any]]] = {}
    for room_id, user_id, kind, thread, event_id, at_ms in receipts:
        is_hidden = user_id in context.ignored_users or (kind == READ_PRIVATE and user_id != context.user_id)
        if is_hidden or not chosen.allows_room(room_id):
            continue
        data: dict[str, Any] = {"ts": at_ms} if thread == UNTHREADED else {"ts": at_ms, "thread_id": thread}
        _add(rooms.setdefault(room_id, [{}]), event_id, kind, user_id, data)
    for room_id, contents in rooms.items():
        response.joined(room_id).ephemeral += [
            orjson.dumps({"type": "m.receipt", "content": content}) for content in contents
        ]


def _add(contents: list[dict[str, Any]], event_id: str, kind: str, user_id: str, data: dict[str, Any]) -> None:
    """Add a receipt to the first content that has none of this user and type at this event."""
    for content in contents:
        users = content.setdefault(event_id, {}).setdefault(kind, {})
        if user_id not in users:
            users[user_id] = data
            return
    contents.append({event_id: {kind: {user_id: data}}})
