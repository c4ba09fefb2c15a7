"""What is counted about rooms: those in memory, and events by what became of them."""

from collections.abc import Callable, Sequence
from typing import Final

from replication.numbers import shard_of
from synapse_like.rooms.facts import EventFact, Kind
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.metrics import Metrics, counter, gauge
from synapse_like.toolkit.metrics.caches import watch_cache

_KINDS: Final = {kind: kind.name.lower() for kind in Kind}
_OTHER: Final = "other"
_TYPES: Final = (
    *("m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility"),
    *("m.room.guest_access", "m.room.name", "m.room.topic", "m.room.avatar", "m.room.canonical_alias"),
    *("m.room.encryption", "m.room.server_acl", "m.room.pinned_events", "m.room.third_party_invite"),
    *("m.room.tombstone", "m.space.child", "m.space.parent"),
    *("m.room.message", "m.room.encrypted", "m.room.redaction", "m.reaction", "m.sticker"),
    *("m.call.invite", "m.call.answer", "m.call.candidates", "m.call.hangup", "m.poll.start", "m.poll.response"),
    _OTHER,
)
_KNOWN: Final = frozenset(_TYPES)

LIVE_ROOMS: Final = gauge("live_rooms", "Rooms that this process keeps in memory as their owner.")
EVENTS: Final = counter(
    "events",
    "Events stored by this process as the owner of their room.",
    {"kind": tuple(_KINDS.values()), "type": _TYPES},
)

METRICS: Final = (LIVE_ROOMS, EVENTS)


class EventCount:
    """Counts events of the log that this process has stored; a type that we do not know is `other`."""

    def __init__(self, metrics: Metrics, is_owned: Callable[[int], bool]) -> None:
        """`is_owned` tells whether a shard is this process's."""
        self._events = metrics.tallies(EVENTS)
        self._is_owned = is_owned

    def take(self, facts: Sequence[EventFact]) -> None:
        """Count new events."""
        for fact in facts:
            if self._is_owned(shard_of(fact.number)):
                kind = fact.event.type
                self._events[_KINDS[fact.kind], kind if kind in _KNOWN else _OTHER].value += 1


def watch_rooms(metrics: Metrics, rooms: Rooms) -> None:
    """Show the live rooms, and what else is kept in memory."""
    metrics.sample(LIVE_ROOMS, rooms.live.__len__)
    watch_cache(metrics, "live_rooms", rooms.live)
    watch_cache(metrics, "events", rooms.events.cache)
    watch_cache(metrics, "memberships", rooms.memberships)
