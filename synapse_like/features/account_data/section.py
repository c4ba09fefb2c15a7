"""Account data in /sync: global data at the top, room data in the rooms that the user sees."""

from collections.abc import Iterable

import orjson

from replication.reader import Reader
from synapse_like.features.account_data import sql
from synapse_like.features.account_data.logic import GLOBAL
from synapse_like.features.account_data.stream import ACCOUNT_DATA
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction


class AccountDataSection:
    """The newest of every type that has changed; types that were deleted are told with empty content (MSC3391)."""

    name = "account_data"
    is_ephemeral = False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what has changed, from recent facts."""
        after = context.user_after()
        facts = None if after is None else self._reader.recent(ACCOUNT_DATA).since(context.user_id, after)
        if facts is None:
            return False
        newest = {(fact.room_id, fact.type): fact.content for fact in facts}
        _put(context, response, ((room_id, kind, text) for (room_id, kind), text in newest.items()))
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add what has changed, or all there is; one query."""
        after = context.user_after()
        if after is None:
            rows = sql.everything(transaction, context.user_id)
        else:
            rows = sql.since(transaction, context.user_id, after, sorted(context.fresh_rooms))
        _put(context, response, ((room_id, kind, text) for room_id, kind, text, _ in rows))


def _put(context: SyncContext, response: SyncResponse, found: Iterable[tuple[str, str, str]]) -> None:
    """Add events (room id or `GLOBAL`, type, content) where they belong."""
    for room_id, kind, text in found:
        chosen = context.filter.account_data if room_id == GLOBAL else context.filter.room.account_data
        if not chosen.allows_type(kind):
            continue
        event = b'{"type":%s,"content":%s}' % (orjson.dumps(kind), text.encode())
        if room_id == GLOBAL:
            response.account_data.append(event)
        elif not context.filter.room.account_data.allows_room(room_id):
            continue
        elif context.has_joined(room_id):
            response.joined(room_id).account_data.append(event)
        elif room_id in response.left_rooms:
            response.left_rooms[room_id].account_data.append(event)
