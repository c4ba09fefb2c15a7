"""The graph of auth events, kept in memory as far as somebody has walked it: who authorizes whom, by id.

Loaded generation by generation, in a database thread; several threads may walk at once. An event's auth events never
change, so nothing here is ever wrong, only forgotten.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from synapse_like.matrix.events import Event
from synapse_like.rooms.sql import auth_graph as sql
from synapse_like.toolkit.db import Transaction

_KNOWN_EVENTS = 300_000
_AT_ONCE = 5_000

Edges = Mapping[str, tuple[str, ...]]


class _Listed(msgspec.Struct, gc=False):
    """What is read of an event."""

    auth_events: list[Any]


_DECODER = msgspec.json.Decoder(_Listed)


class AuthEdges:
    """The auth events of events, by id; at most so many events are remembered."""

    def __init__(self, limit: int = _KNOWN_EVENTS) -> None:
        self._limit = limit
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, transaction: Transaction, event_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The auth events of those of the events that are stored."""
        known = self._known
        found = {event_id: edges for event_id in event_ids if (edges := known.get(event_id)) is not None}
        missing = [event_id for event_id in event_ids if event_id not in found]
        for start in range(0, len(missing), _AT_ONCE):
            rows = sql.texts(transaction, missing[start : start + _AT_ONCE])
            found.update({event_id: auth_ids_in(text) for event_id, text in rows})
        if missing:
            self._remember({event_id: found[event_id] for event_id in missing if event_id in found})
        return found

    def _remember(self, edges: Edges) -> None:
        with self._lock:
            self._known.update(edges)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)


class AuthWalk:
    """Walks auth chains within one snapshot. `unstored` are events that the database does not have yet."""

    def __init__(self, transaction: Transaction, edges: AuthEdges, unstored: Iterable[Event] = ()) -> None:
        self._transaction = transaction
        self._edges = edges
        self.seen: dict[str, tuple[str, ...]] = {e.event_id: tuple(e.auth_event_ids) for e in unstored}

    def chain(
        self, start: Collection[str], *, without: Collection[str] = (), until: Collection[str] | None = None
    ) -> set[str]:
        """The events and their auth chains, but for `without` and what only that leads to.

        With `until` the walk ends as soon as it has found all of those.
        """
        chain: set[str] = set()
        waiting = {event_id for event_id in start if event_id not in without}
        while waiting:
            chain |= waiting
            if until is not None and chain.issuperset(until):
                break
            found = self._load(waiting)
            named = {auth_id for event_id in waiting for auth_id in found.get(event_id, ())}
            waiting = {auth_id for auth_id in named if auth_id not in chain and auth_id not in without}
        return chain

    def auth_ids(self, event_id: str) -> tuple[str, ...]:
        """The auth events of an event that a walk has passed."""
        return self.seen.get(event_id, ())

    def _load(self, event_ids: Collection[str]) -> Edges:
        unknown = [event_id for event_id in event_ids if event_id not in self.seen]
        if unknown:
            self.seen.update(self._edges.load(self._transaction, unknown))
        return self.seen


def auth_ids_in(text: str) -> tuple[str, ...]:
    """The ids that the stored JSON of an event lists as its auth events, in every format."""
    listed = _DECODER.decode(text).auth_events
    return tuple(entry if isinstance(entry, str) else entry[0] for entry in listed)
