"""Whole states as clients get them, kept while they are in force: a room's members are asked for again and again.

What is kept is open where readers differ (age, the reader's membership). It is good for a snapshot in which the room's
view has the same stamp; after that it saves reading those events again that are still part of the state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, NamedTuple

from synapse_like.rooms.access import Past
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.facts import TRUNK
from synapse_like.toolkit.weighed import WeighedCache

KEPT_BYTES: Final = 16 * 1024 * 1024
_WEIGHT_OF_ANY: Final = 400
_ANY = b'%b%d%b,"membership":"%b"}}'
_JOINED, _LEFT = b'%b%d%b,"membership":"join"}}', b'%b%d%b,"membership":"leave"}}'
_NEVER: Final = 2**62


class OpenEvent(NamedTuple):
    """An event on the trunk, written but for what depends on the reader and the time."""

    head: bytes
    """All up to the age."""
    sent_ms: int
    tail: bytes
    version: int
    """The trunk's version before the event."""
    member: str | None
    """Whose membership it is."""
    membership: str | None


@dataclass(frozen=True, slots=True)
class WrittenState:
    """The events of a state, by id: those that are open, and those that are written for each reader anew."""

    opened: Mapping[str, OpenEvent]
    others: Sequence[StoredEvent]

    def __len__(self) -> int:
        """How many events it has."""
        return len(self.opened) + len(self.others)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        opened = sum(len(event.head) + len(event.tail) + _WEIGHT_OF_ANY for event in self.opened.values())
        return opened + sum(event.json_bytes * 4 + 2500 for event in self.others)

    def finished(self, past: Past, now_ms: int) -> bytes:
        """The JSON array of the events as one reader gets them: what `timeline.rendered` gives one by one."""
        since, reader = past.joined_since, past.user_id
        before_any = past.membership.versions[0] if past.membership.versions else _NEVER
        written = []
        for head, sent_ms, tail, version, member, membership in self.opened.values():
            if member == reader:
                written.append(_ANY % (head, now_ms - sent_ms, tail, (membership or "leave").encode()))
            elif version >= since:
                written.append(_JOINED % (head, now_ms - sent_ms, tail))
            elif version < before_any:
                written.append(_LEFT % (head, now_ms - sent_ms, tail))
            else:
                then = past.membership.at(version) or "leave"
                written.append(_ANY % (head, now_ms - sent_ms, tail, then.encode()))
        for event in self.others:
            written.append(event.render(now_ms, has_room_id=True, membership=past.membership_at(event)))
        return b"[%b]" % b",".join(written)


NOTHING: Final = WrittenState({}, ())
Key = tuple[int, tuple[str | None, ...]]
"""(room, which part of its state)"""
Stamp = tuple[int | None, ...]
"""That of a `rooms.timeline.View`."""


def write(events: Sequence[StoredEvent], before: Mapping[str, OpenEvent]) -> WrittenState:
    """Write events, after those that are open already. Redacted ones say of when, and for whom, they were redacted."""
    opened, others = dict(before), []
    for event in events:
        if event.redaction is not None or event.before.branch != TRUNK:
            others.append(event)
            continue
        member = event.event.state_key if event.event.type == "m.room.member" else None
        opened[event.event_id] = OpenEvent(
            *event.client.open_ends(), event.before.version, member, event.event.membership if member else None
        )
    return WrittenState(opened, others)


class KnownStates:
    """States by room and part. Used by all database threads."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self.cache: WeighedCache[Key, tuple[Stamp, WrittenState]] = WeighedCache(limit_bytes, _WEIGHT_OF_ANY)
        """Counts events."""
        self._lock = Lock()

    def get(self, key: Key, stamp: Stamp) -> tuple[WrittenState, bool]:
        """What is kept of a state, and whether it is the state with that stamp."""
        with self._lock:
            kept_stamp, state = self.cache.get(key) or (None, NOTHING)
            is_good = kept_stamp == stamp
            self.cache.hits += is_good
            self.cache.misses += not is_good
            return state, is_good

    def keep(self, key: Key, stamp: Stamp, state: WrittenState) -> None:
        """Keep a state unless it is too large."""
        weight = state.weight
        with self._lock:
            if weight > self.cache.limit_bytes // 2:
                self.cache.forget(key)
            else:
                self.cache.keep(key, (stamp, state), weight, len(state))
