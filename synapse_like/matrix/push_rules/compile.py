"""From a ruleset to a mode: how one member's unread counts follow from the counters of a room.

Here: choosing the mode, and the triggers on which the mode alone may be wrong. Not here: matching (`room_matcher`).

A mode says what a member gets from what plain members get: all of it, only what highlights, or nothing. Each mode is
itself a list of rules. To find out how the member's own list differs from it, the longest common part of both is found;
every line outside must have a trigger. An event that pulls none of these triggers matches no line outside the common
part, so both lists say the same about it. A list that allows no such comparison is *custom*: its member is evaluated at
every event. DESIGN.md section 4, "Unread counts without a row per member".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from synapse_like.matrix.push_rules.lines import (
    DEFAULT_LINES,
    SILENCE,
    Counts,
    Line,
    Outcome,
    lines_in_room,
    without_silent_end,
)
from synapse_like.matrix.push_rules.ruleset import Ruleset
from synapse_like.matrix.push_rules.triggers import ANY_UNMATCHED, Sign, Trigger, find_trigger


class Mode(StrEnum):
    """What a member gets of what plain members get."""

    ALL = "all"
    MENTIONS = "mentions"
    OFF = "off"
    CUSTOM = "custom"

    def counts(self, outcome: Outcome) -> Counts:
        """Return what the mode says about an event: (notify, highlight). Custom members have exceptions only."""
        if self is Mode.ALL:
            return outcome.notify, outcome.highlight
        if self is Mode.MENTIONS:
            return outcome.highlight, outcome.highlight
        return SILENCE


@dataclass(frozen=True, slots=True)
class MemberRules:
    """A ruleset made ready for one room: the mode, and what calls for a look at the ruleset itself."""

    mode: Mode
    triggers: frozenset[Trigger]
    ruleset: Ruleset

    @property
    def keywords(self) -> frozenset[str]:
        """The words that the member waits for, folded."""
        return frozenset(str(trigger.value) for trigger in self.triggers if trigger.sign is Sign.WORD)


def compile_ruleset(ruleset: Ruleset, room_id: str) -> MemberRules:
    """Return the mode of a member of a room with these rules, and the triggers that go with it."""
    if ruleset.is_default:
        return _DEFAULT
    lines = lines_in_room(ruleset.in_order, room_id)
    for mode, base in _MODE_LINES.items():
        if tuple(lines) == base:
            return MemberRules(mode, frozenset(), ruleset)
    found = [(mode, triggers) for mode in _MODE_LINES if (triggers := _differences(mode, lines)) is not None]
    if not found:
        return MemberRules(Mode.CUSTOM, frozenset(), ruleset)
    mode, triggers = min(found, key=lambda plan: len(plan[1]))
    return MemberRules(mode, triggers, ruleset)


def _only_highlights(lines: Sequence[Line]) -> tuple[Line, ...]:
    quiet = [line if line.counts[1] else Line(line.conditions, SILENCE) for line in lines]
    return tuple(without_silent_end(quiet))


_MODE_LINES = {Mode.ALL: DEFAULT_LINES, Mode.MENTIONS: _only_highlights(DEFAULT_LINES), Mode.OFF: ()}
_DEFAULT = MemberRules(Mode.ALL, frozenset(), Ruleset.default())


def _differences(mode: Mode, lines: list[Line]) -> frozenset[Trigger] | None:
    """Return the triggers of all lines that a mode and a member do not share; None if one of these lines has none."""
    base = _MODE_LINES[mode]
    if mode is Mode.ALL and lines and not lines[-1].conditions:
        return _differences_with_rest(base, lines)
    triggers = {find_trigger(line.conditions) for line in _unshared(base, lines)}
    return None if None in triggers else frozenset(trigger for trigger in triggers if trigger)


def _differences_with_rest(base: Sequence[Line], lines: list[Line]) -> frozenset[Trigger] | None:
    """Return the triggers if the member's last line takes every event that is left, as in "all messages of this room".

    Default lines of the same result may be thought to stand right before it. Then shared default lines all stand before
    it, and the others have triggers: short of these it decides only where no default rule matches.
    """
    rest = lines[-1]
    implied = [line for line in base if line.counts == rest.counts and line not in lines]
    triggers = {find_trigger(line.conditions) for line in _unshared(base, [*lines[:-1], *implied])}
    if None in triggers:
        return None
    return frozenset({ANY_UNMATCHED, *(trigger for trigger in triggers if trigger)})


def _unshared(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    """Return the lines of both lists outside their longest common subsequence."""
    candidates = [line for line in right if line in left]
    lengths = [[0] * (len(candidates) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(candidates))):
            if left[i] == candidates[j]:
                lengths[i][j] = lengths[i + 1][j + 1] + 1
            else:
                lengths[i][j] = max(lengths[i + 1][j], lengths[i][j + 1])
    return [line for line in right if line not in left] + _off_the_path(left, candidates, lengths)


def _off_the_path(left: Sequence[Line], right: Sequence[Line], lengths: list[list[int]]) -> list[Line]:
    i = j = 0
    unshared: list[Line] = []
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            unshared.append(left[i])
            i += 1
        else:
            unshared.append(right[j])
            j += 1
    return [*unshared, *left[i:], *right[j:]]
