"""The conditions of push rules.

Here: one class per kind, which says whether it holds for an event, a room and a member, and how a client writes it.
Not here: which rule is asked first. A condition that we do not know, or that lacks a part, never holds.
Source: Client-Server API, "Push Rules", "Conditions".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt
from typing import Any, Protocol

from synapse_like.matrix.globs import TextMatcher, literal_words, match_whole, match_words
from synapse_like.matrix.property_paths import Path, split_path
from synapse_like.matrix.push_rules.context import PushMember, RoomContext
from synapse_like.matrix.push_rules.event_view import BODY, MENTIONED_USERS, EventView, fold

Scalar = str | int | bool | None
Json = Mapping[str, Any]

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {"": eq, "==": eq, "<": lt, ">": gt, "<=": le, ">=": ge}
_MEMBER_COUNT = re.compile(r"(==|<=|>=|<|>|)([0-9]{1,15})")
_MAX_EXACT_INTEGER = 2**53 - 1


class Condition(Protocol):
    """One condition of a rule. Two conditions are equal if they hold for the same events by the same means."""

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        """Whether the condition is true for this event and this member."""
        ...

    def to_json(self, user_id: str) -> Json:
        """Return the condition as the client of `user_id` sees it."""
        ...


@dataclass(frozen=True, slots=True)
class EventMatch:
    """`event_match`: a glob over a text property, whatever its case; in `content.body` between word boundaries."""

    path: Path
    pattern: str
    matches: TextMatcher = field(compare=False, repr=False)
    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        text = view.folded(self.path)
        return text is not None and self.matches(text)

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class EventPropertyIs:
    """`event_property_is`: a property has exactly this value, and this type."""

    path: Path
    value: Scalar
    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return is_same(view.value(self.path), self.value)

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class EventPropertyContains:
    """`event_property_contains`: an array has an element of exactly this value and type."""

    path: Path
    value: Scalar
    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        if self.value not in view.elements(self.path):
            return False
        return isinstance(self.value, str) or any(is_same(v, self.value) for v in view.value(self.path))

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class RoomMemberCount:
    """`room_member_count`: the number of joined members compares with a number."""

    comparison: str
    count: int
    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return _COMPARISONS[self.comparison](room.member_count, self.count)

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class SenderNotificationPermission:
    """`sender_notification_permission`: the sender has the power for this kind of notification."""

    key: str
    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return room.sender_may_notify(self.key)

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class ContainsDisplayName:
    """`contains_display_name`: the body has the member's display name between word boundaries."""

    json: Json = field(compare=False, repr=False)

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        body = view.folded(BODY)
        return bool(body and member.display_name) and literal_words(fold(member.display_name or ""))(body or "")

    def to_json(self, user_id: str) -> Json:
        return self.json


@dataclass(frozen=True, slots=True)
class MentionsMember:
    """The condition of `.m.rule.is_user_mention`: the member is among the mentioned users."""

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return member.user_id in view.elements(MENTIONED_USERS)

    def to_json(self, user_id: str) -> Json:
        return {"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": user_id}


@dataclass(frozen=True, slots=True)
class ConcernsMember:
    """The condition of `.m.rule.invite_for_me`: the state key is the member's id."""

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return bool(view.value(("state_key",)) == member.user_id)

    def to_json(self, user_id: str) -> Json:
        return {"kind": "event_match", "key": "state_key", "pattern": user_id}


@dataclass(frozen=True, slots=True)
class UnknownCondition:
    """A condition of a kind that we do not know, or without a part that it needs: it never holds."""

    json: Json

    def holds(self, view: EventView, room: RoomContext, member: PushMember) -> bool:
        return False

    def to_json(self, user_id: str) -> Json:
        return self.json


def is_same(left: object, right: Scalar) -> bool:
    """Whether two JSON scalars are the same in value and type; a compound or inexact number is never the same."""
    if type(left) is not type(right):
        return False
    return left == right and (not isinstance(right, int) or abs(right) <= _MAX_EXACT_INTEGER)


def event_match(key: str, pattern: str, json: Json | None = None) -> EventMatch:
    """Make an `event_match` condition; `json` is what the client wrote, if it did."""
    path = split_path(key)
    matches = (match_words if path == BODY else match_whole)(fold(pattern))
    return EventMatch(path, fold(pattern), matches, json or {"kind": "event_match", "key": key, "pattern": pattern})


def parse_condition(json: Json) -> Condition:
    """Read a condition that a client wrote; what it cannot understand becomes an `UnknownCondition`."""
    match json:
        case {"kind": "event_match", "key": str(key), "pattern": str(pattern)}:
            return event_match(key, pattern, json)
        case {"kind": "event_property_is", "key": str(key), "value": None | str() | int() as value}:
            return EventPropertyIs(split_path(key), value, json)
        case {"kind": "event_property_contains", "key": str(key), "value": None | str() | int() as value}:
            return EventPropertyContains(split_path(key), value, json)
        case {"kind": "room_member_count", "is": str(limit)} if found := _MEMBER_COUNT.fullmatch(limit):
            return RoomMemberCount(found[1] or "==", int(found[2]), json)
        case {"kind": "sender_notification_permission", "key": str(key)}:
            return SenderNotificationPermission(key, json)
        case {"kind": "contains_display_name"}:
            return ContainsDisplayName(json)
    return UnknownCondition(json)
