"""What one room shows between two places: the timeline, and the state that does not follow from replaying it.

Pure: events and state changes in, timeline and state out. The rule is DESIGN.md section 4, "Sync follows the trunk".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_like.rooms.event_store import StoredEvent

StateKey = tuple[str, str]
Changes = Mapping[StateKey, StoredEvent | None]
"""The trunk's new value of each key that changed; None: the key was removed."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a room between two places."""

    timeline: Sequence[StoredEvent]
    state: Sequence[StoredEvent]
    is_limited: bool


def window(timeline: Sequence[StoredEvent], changes: Changes, *, is_limited: bool) -> Window:
    """Cut the timeline where replaying it would lead astray, and find the state that it does not bring.

    `changes` are the trunk's changes over the window, or the whole state for a client that knows none. A key whose last
    event in the timeline is not the trunk's value (another won, or it never came into force) ends the part of the
    timeline that cannot be shown.
    """
    last = _last_events(timeline)
    cut = 0
    for index, event in last.items():
        current = changes.get(event.event.key)
        if current is None or current.event_id != event.event_id:
            cut = max(cut, index + 1)
    shown = timeline[cut:]
    replayed = {event.event.key: event.event_id for event in shown if event.event.is_state}
    state = [event for key, event in changes.items() if event is not None and replayed.get(key) != event.event_id]
    return Window(shown, state, is_limited or cut > 0)


def _last_events(timeline: Sequence[StoredEvent]) -> dict[int, StoredEvent]:
    """The last state event of each key, by its index."""
    by_key = {event.event.key: (index, event) for index, event in enumerate(timeline) if event.event.is_state}
    return dict(by_key.values())
