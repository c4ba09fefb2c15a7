"""Presence in /sync: of the user, and of those who share a room with the user."""

from collections.abc import Iterable, Iterator

import orjson

from synapse_like.features.presence.config import PresenceRules
from synapse_like.features.presence.heard import Heard, HeardOf
from synapse_like.features.presence.person import OFFLINE, content
from synapse_like.features.presence.stream import PresenceFact
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction


class PresenceSection:
    """An m.presence event for each user whom the client has not heard of yet."""

    name = "presence"
    is_ephemeral = True

    def __init__(self, heard: Heard, rules: PresenceRules) -> None:
        self._heard = heard
        self._includes_offline = rules.include_offline_users_on_sync
        self._active_ms = rules.last_active_granularity.ms

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what has changed; to a client of another process, all that is known."""
        chosen = context.filter.presence
        if chosen.is_nothing or not chosen.allows_type("m.presence"):
            return True
        shown = 0
        for heard in self._candidates(context):
            user_id = heard.fact.user_id
            if user_id in context.ignored_users or not chosen.allows_sender(user_id):
                continue
            if chosen.limit is not None and shown >= chosen.limit:
                break
            response.presence.append(self._event(heard, context.now_ms))
            shown += 1
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Nothing is stored."""

    def _candidates(self, context: SyncContext) -> Iterator[HeardOf]:
        """Those who may be shown and are new to the client: what has changed, then who was met in fresh rooms."""
        is_first = context.since is None or context.is_full_state
        if is_first or not context.is_same_process:
            rooms = [room.room_id for room in context.rooms.values() if room.membership == "join"]
            users = {context.user_id}.union(*map(self._heard.members, rooms))
            yield from self._met(users, self._includes_offline or not is_first)
            return
        told = set()
        for heard in self._heard.after(context.ephemeral_after()):
            told.add(heard.fact.user_id)
            if _may_see(context, heard):
                yield heard
        if context.fresh_rooms:
            rooms = [room_id for room_id in context.fresh_rooms if _has_joined(context, room_id)]
            users = set[str]().union(*map(self._heard.members, rooms))
            yield from self._met(users - told, self._includes_offline)

    def _met(self, users: Iterable[str], includes_offline: bool) -> list[HeardOf]:
        """What was heard of users, the newest first."""
        known = [heard for heard in map(self._heard.of, users) if heard is not None]
        shown = [heard for heard in known if includes_offline or heard.fact.presence != OFFLINE]
        return sorted(shown, key=lambda heard: heard.at, reverse=True)

    def _event(self, heard: HeardOf, now_ms: int) -> bytes:
        """The event, which is put together once a second for all who are told."""
        second = now_ms // 1000
        if heard.shown is None or heard.shown[0] != second:
            heard.shown = second, self._rendered(heard.fact, now_ms)
        return heard.shown[1]

    def _rendered(self, fact: PresenceFact, now_ms: int) -> bytes:
        ago_ms = None if fact.last_active_ms is None else now_ms - fact.last_active_ms
        if ago_ms is not None and fact.is_active:
            ago_ms = min(ago_ms, self._active_ms)  # nothing is told of a user who stays active
        shown = content(fact.presence, fact.status_msg, fact.is_active, ago_ms)
        return orjson.dumps({"type": "m.presence", "sender": fact.user_id, "content": shown})


def _may_see(context: SyncContext, heard: HeardOf) -> bool:
    return heard.fact.user_id == context.user_id or any(_has_joined(context, room_id) for room_id in heard.rooms)


def _has_joined(context: SyncContext, room_id: str) -> bool:
    room = context.rooms.get(room_id)
    return room is not None and room.membership == "join"
