"""Push rules: what a user wants to be notified of.

The specification's default rules and the user's own (`Ruleset`), what they say about one event for one member
(`evaluate`), and the same for all local members of a room at once (`compile_ruleset`, `RoomMatcher`). Pure: the
`/pushrules` API, its storage, unread counts and pushers live elsewhere and use what is named here.
"""

from synapse_like.matrix.push_rules.actions import Action, Actions
from synapse_like.matrix.push_rules.compile import MemberRules, Mode, compile_ruleset
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.evaluate import evaluate
from synapse_like.matrix.push_rules.event_view import EventView
from synapse_like.matrix.push_rules.lines import Counts, Outcome, default_outcome
from synapse_like.matrix.push_rules.room_matcher import RoomMatcher, RoomOutcome
from synapse_like.matrix.push_rules.rules import Rule, RuleKind, parse_kind
from synapse_like.matrix.push_rules.ruleset import Ruleset

__all__ = [
    "Action",
    "Actions",
    "Counts",
    "EventView",
    "MemberRules",
    "Mode",
    "Outcome",
    "PushMember",
    "RoomContext",
    "RoomMatcher",
    "RoomOutcome",
    "Rule",
    "RuleKind",
    "Ruleset",
    "compile_ruleset",
    "default_outcome",
    "evaluate",
    "parse_kind",
]
