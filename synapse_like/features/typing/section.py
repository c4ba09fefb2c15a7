"""Typing in /sync: an m.typing event for each joined room where it has changed."""

from collections import OrderedDict
from collections.abc import Sequence

import orjson

from replication.reader import Reader
from synapse_like.features.typing.stream import TYPING, TypingFact
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction

_REMEMBERED_ROOMS = 20_000


class TypingSection:
    """Who is typing, as this process has heard: for each room the users, and when that was (`Reader.ephemeral`)."""

    name = "typing"
    is_ephemeral = True

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rooms: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        reader.subscribe(TYPING, self._take)

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what has changed; to a client of another process, all that is known."""
        chosen = context.filter.room.ephemeral
        if not self._rooms or not chosen.allows_type("m.typing"):
            return True
        after = context.ephemeral_after()
        for room_id, (at, users) in reversed(self._rooms.items()):
            if at <= after and not context.fresh_rooms:
                break
            is_new = at > after or room_id in context.fresh_rooms
            is_known_to_client = context.since is not None and room_id not in context.fresh_rooms
            if not is_new or not (users or is_known_to_client):
                continue
            if context.has_joined(room_id) and chosen.allows_room(room_id):
                shown = [user_id for user_id in users if user_id not in context.ignored_users]
                event = orjson.dumps({"type": "m.typing", "content": {"user_ids": shown}})
                response.joined(room_id).ephemeral.append(event)
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Nothing is stored."""

    def _take(self, facts: Sequence[TypingFact]) -> None:
        for fact in facts:
            self._rooms[fact.room_id] = self._reader.ephemeral, fact.user_ids
            self._rooms.move_to_end(fact.room_id)
        while len(self._rooms) > _REMEMBERED_ROOMS:
            self._rooms.popitem(last=False)
