"""`device_lists` in /sync: whose keys a client has to ask for anew, and whose it need not follow any more."""

from replication.reader import Reader
from synapse_like.features.device_lists.changes import changes
from synapse_like.features.device_lists.news import News
from synapse_like.features.device_lists.stream import SIGNED_USERS
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction


class DeviceListsSection:
    """Changes since the client last asked; a first sync has none, as the client knows no keys yet."""

    name = "device_lists"
    is_ephemeral = False

    def __init__(self, reader: Reader, news: News) -> None:
        self._reader = reader
        self._news = news

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what has changed, from recent facts. Who came or went is told by the database, as the rooms are."""
        after = context.user_after()
        if context.since is None or after is None:
            return False
        if context.since.users == context.now.users:
            return True
        facts = self._news.since(context.since.users)
        signed = self._reader.recent(SIGNED_USERS).since(context.user_id, after)
        if facts is None or signed is None:
            return False
        changed = {user_id for fact in signed for user_id in fact.signed}
        for fact in facts:
            if fact.user_id == context.user_id or any(_is_joined(context, room_id) for room_id in fact.rooms):
                changed.add(fact.user_id)
        response.device_lists_changed.extend(sorted(changed))
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add what has changed, in a fixed number of queries."""
        if context.since is None:
            return
        found = changes(transaction, context.user_id, context.user_shard, context.rooms, context.since, context.now)
        response.device_lists_changed.extend(sorted(found.changed))
        response.device_lists_left.extend(sorted(found.left))


def _is_joined(context: SyncContext, room_id: str) -> bool:
    room = context.rooms.get(room_id)
    return room is not None and room.membership == "join"
