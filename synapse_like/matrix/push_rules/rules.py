"""One push rule: its kind, its conditions, its actions.

Here: the rule as a value, reading it from a client's request, writing it for a client or for storage. Not here: the
order of rules (`ruleset`) and the rules that everybody has (`defaults`).
Source: Client-Server API, "Push Rules", and `PUT /pushrules/global/{kind}/{ruleId}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from synapse_like.matrix.errors import BadJson, InvalidParam, MissingParam, TooLarge
from synapse_like.matrix.push_rules.actions import Action, Actions, interpret, parse_actions
from synapse_like.matrix.push_rules.conditions import Condition, EventPropertyIs, event_match, parse_condition
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.event_view import EventView

MAX_RULE_ID_LENGTH = 255
MAX_PATTERN_LENGTH = 255
MAX_CONDITIONS = 32
MAX_RULE_BYTES = 16384


class RuleKind(StrEnum):
    """The kinds of rules, in the order in which they are asked."""

    OVERRIDE = "override"
    CONTENT = "content"
    ROOM = "room"
    SENDER = "sender"
    UNDERRIDE = "underride"


def parse_kind(text: str) -> RuleKind:
    """Read the `{kind}` of a path; raises InvalidParam if there is no such kind."""
    try:
        return RuleKind(text)
    except ValueError:
        raise InvalidParam("There is no such kind of push rule") from None


@dataclass(frozen=True, slots=True)
class Rule:
    """A push rule. `conditions` are all that must hold, those that its kind implies included.

    `pattern` is what the client wrote, for content rules only. `is_default` marks the server's own rules.
    """

    kind: RuleKind
    rule_id: str
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    pattern: str | None = None
    is_enabled: bool = True
    is_default: bool = False

    def matches(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        """Whether every condition holds; a disabled rule never matches."""
        return self.is_enabled and all(condition.holds(view, room, member) for condition in self.conditions)

    @property
    def result(self) -> Actions:
        """What the rule asks for when it matches."""
        return interpret(self.actions)

    def enabled(self, is_enabled: bool) -> Rule:
        """Return the rule switched on or off."""
        return replace(self, is_enabled=is_enabled)

    def acting(self, actions: Sequence[Action]) -> Rule:
        """Return the rule with other actions."""
        return replace(self, actions=tuple(actions))

    def to_client_json(self, user_id: str) -> dict[str, Any]:
        """Return the rule as `GET /pushrules` shows it to its owner."""
        shown = {
            "rule_id": self.rule_id,
            "default": self.is_default,
            "enabled": self.is_enabled,
            "actions": list(self.actions),
        }
        if self.kind in (RuleKind.OVERRIDE, RuleKind.UNDERRIDE):
            shown["conditions"] = [condition.to_json(user_id) for condition in self.conditions]
        if self.pattern is not None:
            shown["pattern"] = self.pattern
        return shown


def parse_rule(kind: RuleKind, rule_id: str, body: Mapping[str, Any]) -> Rule:
    """Read a rule of a user from the body of `PUT /pushrules/global/{kind}/{ruleId}`; it is enabled.

    Raises InvalidParam for an id that is not allowed, BadJson, MissingParam or TooLarge for the body.
    """
    if rule_id.startswith(".") or "/" in rule_id or "\\" in rule_id:
        raise InvalidParam("The id of a push rule has no slash or backslash and does not begin with a dot")
    if not 0 < len(rule_id) <= MAX_RULE_ID_LENGTH:
        raise InvalidParam(f"The id of a push rule has 1 to {MAX_RULE_ID_LENGTH} characters")
    if "actions" not in body:
        raise MissingParam("A push rule needs 'actions'")
    actions = parse_actions(body["actions"])
    conditions = _parse_conditions(kind, rule_id, body)
    pattern = body["pattern"] if kind is RuleKind.CONTENT else None
    rule = Rule(kind, rule_id, conditions, actions, pattern)
    _check_size(rule)
    return rule


def _check_size(rule: Rule) -> None:
    try:
        size = len(orjson.dumps(rule.to_client_json("")))
    except orjson.JSONEncodeError:  # too deep, half a surrogate, or an integer of more than 64 bits
        raise BadJson("A push rule is nested too deeply or has a value that JSON does not carry safely") from None
    if size > MAX_RULE_BYTES:
        raise TooLarge(f"A push rule has at most {MAX_RULE_BYTES} bytes of JSON")


def _parse_conditions(kind: RuleKind, rule_id: str, body: Mapping[str, Any]) -> tuple[Condition, ...]:
    match kind:
        case RuleKind.ROOM:
            return (EventPropertyIs(("room_id",), rule_id, {}),)
        case RuleKind.SENDER:
            return (EventPropertyIs(("sender",), rule_id, {}),)
        case RuleKind.CONTENT:
            return (event_match("content.body", _parse_pattern(body)),)
    conditions = body.get("conditions", [])
    if not isinstance(conditions, list) or len(conditions) > MAX_CONDITIONS:
        raise BadJson(f"'conditions' must be a list of at most {MAX_CONDITIONS} conditions")
    return tuple(_checked_condition(condition) for condition in conditions)


def _checked_condition(condition: object) -> Condition:
    if not isinstance(condition, dict) or not isinstance(condition.get("kind"), str):
        raise BadJson("A condition is an object with a 'kind'")
    if len(str(condition.get("pattern", ""))) > MAX_PATTERN_LENGTH:
        raise InvalidParam(f"A pattern has at most {MAX_PATTERN_LENGTH} characters")
    return parse_condition(condition)


def _parse_pattern(body: Mapping[str, Any]) -> str:
    if "pattern" not in body:
        raise MissingParam("A content rule needs a 'pattern'")
    pattern = body["pattern"]
    if not isinstance(pattern, str):
        raise BadJson("'pattern' must be a string")
    if not 0 < len(pattern) <= MAX_PATTERN_LENGTH:
        raise InvalidParam(f"A pattern has 1 to {MAX_PATTERN_LENGTH} characters")
    return pattern
