"""What push rules say about one event for one member: simple and right, asked once per member.

Here: the order of rules put to work. Not here: answering for all members of a room at once (`room_matcher`), which is
tested to say the same as this.
Source: Client-Server API, "Push Rules".
"""

from synapse_like.matrix.push_rules.actions import NO_ACTIONS, Actions
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.event_view import EventView
from synapse_like.matrix.push_rules.ruleset import Ruleset


def evaluate(ruleset: Ruleset, view: EventView, room: RoomContext, member: PushMember) -> Actions:
    """Return what the most important matching rule asks for: nothing if none matches or the member sent the event."""
    if view.sender == member.user_id:
        return NO_ACTIONS
    for rule in ruleset.in_order:
        if rule.matches(view, room, member):
            return rule.result
    return NO_ACTIONS
