"""Triggers: cheap signs in an event without which a rule cannot match.

Here: finding a trigger for the conditions of a rule, and the index that tells which members' triggers an event pulls. A
trigger is necessary, not sufficient: a member whose trigger is pulled is evaluated singly. Not here: that evaluation.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from synapse_like.matrix.property_paths import Path
from synapse_like.matrix.push_rules.conditions import (
    Condition,
    EventMatch,
    EventPropertyContains,
    EventPropertyIs,
    RoomMemberCount,
    Scalar,
)
from synapse_like.matrix.push_rules.context import RoomContext
from synapse_like.matrix.push_rules.event_view import BODY, EventView, fold, words_of
from synapse_like.matrix.push_rules.lines import Outcome

_EVERYDAY_VALUES: Mapping[Path, tuple[str, ...]] = {
    ("type",): ("m.room.message", "m.room.encrypted"),
    ("content", "msgtype"): ("m.text",),
    ("state_key",): ("",),
}
_SMALL_ROOM = 10
_GLOB = re.compile(r"[*?]")


class Sign(Enum):
    """What is looked for in an event; the first are the most telling."""

    ELEMENT = 1
    """An array at the path has the value."""
    WORD = 2
    """The body has the value among its words."""
    VALUE = 3
    """The property at the path is the value, in any case."""
    FRAGMENT = 4
    """The text at the path has the value somewhere, in any case."""
    SMALL_ROOM = 5
    """The room has at most so many members."""
    UNMATCHED = 6
    """No default rule matches."""


class Trigger(NamedTuple):
    """A sign, where it is looked for, and what it is; texts are folded."""

    sign: Sign
    path: Path
    value: Scalar


ANY_UNMATCHED = Trigger(Sign.UNMATCHED, (), None)


def find_trigger(conditions: Collection[Condition]) -> Trigger | None:
    """Return the most telling trigger of a rule with these conditions, or None if none is rare enough to be one."""
    triggers = [
        trigger for condition in conditions if (trigger := _trigger_of(condition)) and not _is_everyday(trigger)
    ]
    return min(triggers, key=lambda trigger: trigger.sign.value, default=None)


def _trigger_of(condition: Condition) -> Trigger | None:
    match condition:
        case EventPropertyContains(path, value):
            return Trigger(Sign.ELEMENT, path, value)
        case EventPropertyIs(path, value):
            return Trigger(Sign.VALUE, path, fold(value) if isinstance(value, str) else value)
        case EventMatch(path, pattern):
            return _trigger_of_glob(path, pattern)
        case RoomMemberCount("==" | "<=", count) if count <= _SMALL_ROOM:
            return Trigger(Sign.SMALL_ROOM, (), count)
        case RoomMemberCount("<", count) if count <= _SMALL_ROOM:
            return Trigger(Sign.SMALL_ROOM, (), count - 1)
    return None


def _trigger_of_glob(path: Path, folded_pattern: str) -> Trigger | None:
    pieces = _GLOB.split(folded_pattern)
    if len(pieces) > 1 or path == BODY:
        words = words_of(folded_pattern) if len(pieces) == 1 else ()
        if words and path == BODY:
            return Trigger(Sign.WORD, path, max(words, key=lambda word: (len(word), word)))
        fragment = max(pieces, key=len)
        return Trigger(Sign.FRAGMENT, path, fragment) if fragment else None
    return Trigger(Sign.VALUE, path, folded_pattern)


def _is_everyday(trigger: Trigger) -> bool:
    """Whether ordinary messages or most state events would pull the trigger."""
    values = _EVERYDAY_VALUES.get(trigger.path, ())
    if trigger.sign is Sign.FRAGMENT:
        return any(str(trigger.value) in value for value in values)
    return trigger.sign is Sign.VALUE and trigger.value in values


class TriggerIndex:
    """Who waits for which trigger. Its cost per event depends on the event and on distinct kinds of triggers only."""

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[tuple[Sign, Path], dict[Scalar, set[str]]] = {}

    def add(self, trigger: Trigger, user_id: str) -> None:
        """Let a member wait for a trigger."""
        table = self._tables.setdefault((trigger.sign, trigger.path), {})
        table.setdefault(trigger.value, set()).add(user_id)

    def discard(self, trigger: Trigger, user_id: str) -> None:
        """Let a member wait no longer."""
        table = self._tables.get((trigger.sign, trigger.path), {})
        waiting = table.get(trigger.value, set())
        waiting.discard(user_id)
        if not waiting:
            table.pop(trigger.value, None)
        if not table:
            self._tables.pop((trigger.sign, trigger.path), None)

    def waiting_for(self, view: EventView, room: RoomContext, default: Outcome) -> set[str]:
        """Return the members who wait for something that this event has."""
        found: set[str] = set()
        for (sign, path), table in self._tables.items():
            for value in _values_pulled(sign, path, table, view, room, default):
                found |= table[value]
        return found


def _values_pulled(
    sign: Sign, path: Path, table: Mapping[Scalar, set[str]], view: EventView, room: RoomContext, default: Outcome
) -> Iterator[Scalar]:
    if sign is Sign.WORD:
        yield from table.keys() & view.words
    elif sign is Sign.VALUE:
        value = view.folded(path)
        value = view.value(path) if value is None else value
        if (value is None or isinstance(value, str | int)) and value in table:
            yield value
    elif sign is Sign.ELEMENT:
        yield from table.keys() & view.elements(path)
    elif sign is Sign.FRAGMENT:
        text = view.folded(path)
        yield from (value for value in table if text is not None and str(value) in text)
    elif sign is Sign.SMALL_ROOM:
        yield from (value for value in table if isinstance(value, int) and room.member_count <= value)
    elif default.is_unmatched:
        yield from table
