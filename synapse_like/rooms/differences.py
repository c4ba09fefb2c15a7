"""How states differ from the trunk of their room, in a database thread: small maps, however many keys the room has.

The differences to one version of each trunk are remembered, and moved along with the trunk by what changed in it.
"""

from collections import OrderedDict
from collections.abc import Sequence

from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.points import Altered, Changes, State, StateMap, StatePoint, changes_between
from synapse_like.rooms.sql import state as state_sql
from synapse_like.rooms.sql import state_history as history_sql
from synapse_like.toolkit.db import Transaction

_ROOMS = 1_000
_POINTS_OF_A_ROOM = 200
_LARGEST = 1_000
"""Larger differences are found anew each time."""

_Known = dict[StateRef, Changes]


class Differences:
    """Nothing that was handed out is changed later: several threads may ask at once."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[int, tuple[int, _Known]] = OrderedDict()

    def of(
        self, transaction: Transaction, room_nid: int, base: int, states: Sequence[State], trunk: StateMap
    ) -> list[Changes]:
        """What each state changes in a version of the trunk. `trunk` is the state at that version."""
        known = self._known(transaction, room_nid, base)
        found = []
        for state in states:
            if isinstance(state, Altered):
                moved = _moved(state.changes, _between(transaction, room_nid, state.base, base))
                found.append({key: event_id for key, event_id in moved.items() if event_id != trunk.get(key)})
                continue
            if not isinstance(state, StatePoint):
                found.append(changes_between(trunk, state))
                continue
            changes = known.get(state.ref)
            if changes is None:
                changes = known[state.ref] = self._read(transaction, room_nid, base, state.ref, trunk)
            if state.key is not None:
                changes = {**changes, state.key: state.event_id}
                if trunk.get(state.key) == state.event_id:
                    del changes[state.key]
            found.append(changes)
        self._keep(room_nid, base, known)
        return found

    def _known(self, transaction: Transaction, room_nid: int, base: int) -> _Known:
        """The differences that are remembered, to this version of the trunk."""
        version, known = self._rooms.get(room_nid, (base, {}))
        if version == base or not known:
            return dict(known)
        moved = _between(transaction, room_nid, version, base)
        return {ref: _moved(changes, moved) for ref, changes in known.items()}

    def _keep(self, room_nid: int, base: int, known: _Known) -> None:
        kept = [(ref, changes) for ref, changes in known.items() if len(changes) <= _LARGEST]
        self._rooms[room_nid] = base, dict(kept[-_POINTS_OF_A_ROOM:])
        self._rooms.move_to_end(room_nid)
        while len(self._rooms) > _ROOMS:
            self._rooms.popitem(last=False)

    def _read(self, transaction: Transaction, room_nid: int, base: int, ref: StateRef, trunk: StateMap) -> Changes:
        if ref.branch == TRUNK:
            return {key: became for key, (_, became) in _between(transaction, room_nid, base, ref.version).items()}
        start, rows = state_sql.branch_at(transaction, ref.branch, ref.version)
        changes: Changes = {key: became for key, (_, became) in _between(transaction, room_nid, base, start).items()}
        for kind, state_key, _, _, event_id in rows:
            changes[kind, state_key] = event_id
        return {key: event_id for key, event_id in changes.items() if event_id != trunk.get(key)}


_Moved = dict[tuple[str, str], tuple[str | None, str | None]]


def _between(transaction: Transaction, room_nid: int, start: int, end: int) -> _Moved:
    """What each key was and became from one version of the trunk to another, be that older or newer."""
    low, high = sorted((start, end))
    if low == high:
        return {}
    rows = history_sql.between(transaction, room_nid, low, high)
    found = {(kind, state_key): (was, became) for kind, state_key, was, became in rows if was != became}
    return found if low == start else {key: (became, was) for key, (was, became) in found.items()}


def _moved(changes: Changes, moved: _Moved) -> Changes:
    """The same state as a difference to a trunk that has moved."""
    if not moved:
        return changes
    found = dict(changes)
    for key, (was, became) in moved.items():
        event_id = changes.get(key, was)
        if event_id == became:
            found.pop(key, None)
        else:
            found[key] = event_id
    return found
