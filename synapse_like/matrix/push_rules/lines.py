"""Rules as they stand in one room: the flat list that compiling compares, and what the default list says.

Here: dropping what cannot match in a room and what cannot be reached, and the outcome of the default rules for a member
whom the event does not concern. Not here: finding the members whom it does (`triggers`, `room_matcher`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from synapse_like.matrix.push_rules.conditions import (
    ConcernsMember,
    Condition,
    EventMatch,
    EventPropertyContains,
    EventPropertyIs,
    MentionsMember,
    UnknownCondition,
)
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.event_view import EventView, fold
from synapse_like.matrix.push_rules.rules import Rule
from synapse_like.matrix.push_rules.ruleset import Ruleset

Counts = tuple[bool, bool]
"""(notify, highlight)"""

SILENCE: Counts = (False, False)

_NOBODY = PushMember("")


class Line(NamedTuple):
    """A rule without its name: where all conditions hold, `counts` is the result, unless a line above was first."""

    conditions: tuple[Condition, ...]
    counts: Counts

    def matches(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        """Whether every condition holds."""
        for condition in self.conditions:  # noqa: SIM110 - inside every send, and twice as fast as all()
            if not condition.holds(view, room, member):
                return False
        return True


class Outcome(NamedTuple):
    """What the default rules give to a plain member: one who neither sent the event nor is mentioned or invited by it.

    `highlight` is only ever true with `notify`. `is_unmatched`: no default rule had anything to say.
    """

    notify: bool
    highlight: bool
    is_unmatched: bool


def lines_in_room(rules: Iterable[Rule], room_id: str) -> list[Line]:
    """Return what is left of enabled rules in one room, most important first, without lines that change nothing.

    Lines about the member in person (a mention, an invite) are left out: whoever is mentioned or invited is always
    evaluated singly.
    """
    lines: list[Line] = []
    for rule in rules:
        conditions = _open_conditions(rule, room_id)
        if conditions is None:
            continue
        lines.append(Line(conditions, rule.result.counts))
        if not conditions:
            break
    return without_silent_end(lines)


def without_silent_end(lines: list[Line]) -> list[Line]:
    """Return the lines up to the last that notifies: saying nothing is silence too."""
    end = len(lines)
    while end and lines[end - 1].counts == SILENCE:
        end -= 1
    return lines[:end]


def _open_conditions(rule: Rule, room_id: str) -> tuple[Condition, ...] | None:
    """Return the conditions that the room does not settle; None if the rule is settled never to matter."""
    still_open = []
    for condition in rule.conditions:
        match condition:
            case UnknownCondition() | ConcernsMember() | MentionsMember() | EventPropertyContains(path=("room_id",)):
                return None
            case EventMatch(path=("room_id",)):
                if not condition.matches(fold(room_id)):
                    return None
            case EventPropertyIs(path=("room_id",)):
                if condition.value != room_id:
                    return None
            case _:
                still_open.append(condition)
    return tuple(still_open)


DEFAULT_LINES: tuple[Line, ...] = tuple(lines_in_room(Ruleset.default().in_order, ""))


def default_outcome(view: EventView, room: RoomContext) -> Outcome:
    """Return what the unmodified default rules give to a plain member."""
    for line in DEFAULT_LINES:
        if line.matches(view, room, _NOBODY):
            return Outcome(*line.counts, is_unmatched=False)
    return Outcome(False, False, is_unmatched=True)
