"""Names of states: a state by where it is stored, or in full; and what one state changes in another."""

from dataclasses import dataclass

from synapse_like.rooms.facts import StateRef

StateKey = tuple[str, str]
StateMap = dict[StateKey, str]

Changes = dict[StateKey, str | None]
"""A difference to a state: what each key becomes; None: it is removed."""


@dataclass(frozen=True, slots=True)
class StatePoint:
    """A state: a version of the trunk or a branch, with one event on it that is not in that version, if `event_id`."""

    ref: StateRef
    key: StateKey | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Altered:
    """A state by what it changes in a version of the trunk."""

    base: int
    changes: Changes


State = StatePoint | Altered | StateMap
"""A state by name, by what it changes, or (as another server told it) in full."""


def changes_between(old: StateMap, new: StateMap) -> Changes:
    """What has to change for one state to become the other."""
    changed: Changes = {key: event_id for key, event_id in new.items() if old.get(key) != event_id}
    return changed | dict.fromkeys(old.keys() - new.keys())
