"""The push rules of all local members of a room, asked at once.

Here: the members with their modes and triggers, and the answer for an event: what plain members get, and who gets
something else than the member's mode says. Its cost depends on whom the event mentions and on what its text pulls, not
on how many members there are. Not here: where unread counts are kept.
DESIGN.md sections 4 and 5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from synapse_like.matrix.push_rules.compile import MemberRules, Mode
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.evaluate import evaluate
from synapse_like.matrix.push_rules.event_view import MENTIONED_USERS, EventView
from synapse_like.matrix.push_rules.lines import Counts, default_outcome
from synapse_like.matrix.push_rules.triggers import TriggerIndex


@dataclass(frozen=True, slots=True)
class RoomOutcome:
    """What an event does to the unread counts of a room's local members.

    `notify_all` and `highlight_all` are for the room's counters; `Mode.counts` says what a member gets of them.
    `exceptions` are the members who get something else, as (notify, highlight); the sender is one of them if the mode
    would have counted the sender's own event.
    """

    notify_all: bool
    highlight_all: bool
    exceptions: Mapping[str, Counts] = field(default_factory=dict)


class RoomMatcher:
    """The local members of one room who may be notified, and their compiled rules."""

    __slots__ = ("_custom", "_members", "_triggers")

    def __init__(self) -> None:
        self._members: dict[str, tuple[MemberRules, str | None]] = {}
        self._custom: set[str] = set()
        self._triggers = TriggerIndex()

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def add(self, user_id: str, rules: MemberRules, display_name: str | None = None) -> None:
        """Take in a member, or new rules or another display name of one."""
        self.remove(user_id)
        self._members[user_id] = (rules, display_name)
        if rules.mode is Mode.CUSTOM:
            self._custom.add(user_id)
        for trigger in rules.triggers:
            self._triggers.add(trigger, user_id)

    def remove(self, user_id: str) -> None:
        """Let a member go, if there."""
        rules, _ = self._members.pop(user_id, (None, None))
        self._custom.discard(user_id)
        for trigger in rules.triggers if rules else ():
            self._triggers.discard(trigger, user_id)

    def mode(self, user_id: str) -> Mode:
        """Return the mode of a member; raises KeyError for anybody else."""
        return self._members[user_id][0].mode

    def match(self, view: EventView, room: RoomContext) -> RoomOutcome:
        """Return what an event gives to the members."""
        default = default_outcome(view, room)
        singled_out = self._triggers.waiting_for(view, room, default) | self._custom | self._named_in(view)
        exceptions: dict[str, Counts] = {}
        for user_id in singled_out:
            rules, display_name = self._members[user_id]
            counts = evaluate(rules.ruleset, view, room, PushMember(user_id, display_name)).counts
            if counts != rules.mode.counts(default):
                exceptions[user_id] = counts
        return RoomOutcome(default.notify, default.highlight, exceptions)

    def _named_in(self, view: EventView) -> set[str]:
        """Return the members whom the event mentions, invites or otherwise has as state key, and the sender."""
        names = {view.sender, *view.elements(MENTIONED_USERS), view.value(("state_key",))}
        return {name for name in names if isinstance(name, str) and name in self._members}
