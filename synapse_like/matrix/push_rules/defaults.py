"""The push rules that every user has, as data.

Here: the server-default rules of the specification v1.19, in their order. The rules that looked for names in the text
of a message went with v1.17 (MSC4210). Not here: what a user changed about them (`ruleset`).
Source: Client-Server API, "Predefined Rules".
"""

from collections.abc import Mapping

from synapse_like.matrix.push_rules.actions import Action
from synapse_like.matrix.push_rules.conditions import (
    ConcernsMember,
    Condition,
    MentionsMember,
    event_match,
    parse_condition,
)
from synapse_like.matrix.push_rules.rules import Rule, RuleKind

_NOTHING: tuple[Action, ...] = ()
_NOTIFY: tuple[Action, ...] = ("notify",)
_SOUND: tuple[Action, ...] = ("notify", {"set_tweak": "sound", "value": "default"})
_RING: tuple[Action, ...] = ("notify", {"set_tweak": "sound", "value": "ring"})
_HIGHLIGHT: tuple[Action, ...] = ("notify", {"set_tweak": "highlight"})
_SOUND_AND_HIGHLIGHT: tuple[Action, ...] = (*_SOUND, {"set_tweak": "highlight"})

_EVERYONE_MENTIONED = parse_condition(
    {"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": True},
)
_SENDER_MAY_MENTION_EVERYONE = parse_condition({"kind": "sender_notification_permission", "key": "room"})
_EDITS = parse_condition({"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"})
_TWO_MEMBERS = parse_condition({"kind": "room_member_count", "is": "2"})
_NO_STATE_KEY_TEXT = event_match("state_key", "")


def _type_is(event_type: str) -> Condition:
    return event_match("type", event_type)


def _default(
    kind: RuleKind,
    name: str,
    conditions: tuple[Condition, ...],
    actions: tuple[Action, ...],
    *,
    is_enabled: bool = True,
) -> Rule:
    return Rule(kind, f".m.rule.{name}", conditions, actions, is_enabled=is_enabled, is_default=True)


def _override(name: str, *conditions: Condition, actions: tuple[Action, ...] = _NOTHING) -> Rule:
    return _default(RuleKind.OVERRIDE, name, conditions, actions)


def _underride(name: str, *conditions: Condition, actions: tuple[Action, ...]) -> Rule:
    return _default(RuleKind.UNDERRIDE, name, conditions, actions)


MASTER = _default(RuleKind.OVERRIDE, "master", (), _NOTHING, is_enabled=False)
"""The switch that turns everything off. It stands before the rules of the user; all other defaults stand after."""

DEFAULT_RULES: Mapping[RuleKind, tuple[Rule, ...]] = {
    RuleKind.OVERRIDE: (
        _override("suppress_notices", event_match("content.msgtype", "m.notice")),
        _override(
            "invite_for_me",
            _type_is("m.room.member"),
            event_match("content.membership", "invite"),
            ConcernsMember(),
            actions=_SOUND,
        ),
        _override("member_event", _type_is("m.room.member")),
        _override("is_user_mention", MentionsMember(), actions=_SOUND_AND_HIGHLIGHT),
        _override("is_room_mention", _EVERYONE_MENTIONED, _SENDER_MAY_MENTION_EVERYONE, actions=_HIGHLIGHT),
        _override("tombstone", _type_is("m.room.tombstone"), _NO_STATE_KEY_TEXT, actions=_HIGHLIGHT),
        _override("reaction", _type_is("m.reaction")),
        _override("room.server_acl", _type_is("m.room.server_acl"), _NO_STATE_KEY_TEXT),
        _override("suppress_edits", _EDITS),
    ),
    RuleKind.CONTENT: (),
    RuleKind.ROOM: (),
    RuleKind.SENDER: (),
    RuleKind.UNDERRIDE: (
        _underride("call", _type_is("m.call.invite"), actions=_RING),
        _underride("encrypted_room_one_to_one", _TWO_MEMBERS, _type_is("m.room.encrypted"), actions=_SOUND),
        _underride("room_one_to_one", _TWO_MEMBERS, _type_is("m.room.message"), actions=_SOUND),
        _underride("message", _type_is("m.room.message"), actions=_NOTIFY),
        _underride("encrypted", _type_is("m.room.encrypted"), actions=_NOTIFY),
    ),
}
