"""Power levels: what each user has, and what each action needs.

Here lives reading them, with the defaults and the leniency of each room version. Whether a *change* of the power
levels is allowed lives in `auth_rules/power_levels.py`.
Source: Client-Server API, `m.room.power_levels`; "Room Versions" (creators of version 12, levels written as strings
up to version 9, as floats up to version 5).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion

INFINITE = math.inf
"""The power of a creator in room version 12; greater than every integer and equal to itself."""

DEFAULT_LEVELS: Mapping[str, int] = {
    "users_default": 0,
    "events_default": 0,
    "state_default": 50,
    "ban": 50,
    "kick": 50,
    "redact": 50,
    "invite": 0,
}
"""What each top-level property means when it, or the whole event, is absent."""

DEFAULT_NOTIFICATION_LEVEL = 50
_CREATOR_LEVEL = 100
_NUMBER_AS_STRING = re.compile(r"\s*[+-]?[0-9]+\s*")


def parse_level(value: object, version: RoomVersion) -> int | None:
    """The level that a value of the content stands for, or None if it is no level in this room version.

    Integers always are (booleans never). Up to version 9 decimal strings are too, with sign, leading zeros and
    white space around; and where canonical JSON is not enforced, finite floats, cut off at the point.
    """
    if type(value) is int:
        return value
    if version.integer_power_levels:
        return None
    if isinstance(value, str) and _NUMBER_AS_STRING.fullmatch(value):
        return _int_or_none(value)
    if isinstance(value, float) and math.isfinite(value) and not version.strict_canonical_json:
        return int(value)
    return None


def _int_or_none(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:  # more digits than Python is willing to convert
        return None


def room_creator(create: Event) -> str | None:
    """The one user who made the room: the sender of the create event, or `content.creator` up to version 10."""
    if create.room_version.implicit_creator:
        return create.sender
    creator = create.content.get("creator")
    return creator if isinstance(creator, str) else None


def privileged_creators(create: Event) -> frozenset[str]:
    """Who has infinite power: the sender and `additional_creators` in version 12, nobody before (MSC4289)."""
    if not create.room_version.privileged_creators:
        return frozenset()
    additional = create.content.get("additional_creators")
    names = additional if isinstance(additional, list) else []
    return frozenset([create.sender, *(name for name in names if isinstance(name, str))])


class PowerLevels:
    """The power levels of a room at one point: made once from the state, asked often.

    `content` is that of the `m.room.power_levels` event, None if the room has none. It is kept, not copied, and must
    not be changed. A value that cannot be read as a level counts as absent.
    """

    __slots__ = ("_events", "_levels", "_notifications", "_users", "_version", "creators", "is_set")

    def __init__(self, create: Event, content: Mapping[str, Any] | None, version: RoomVersion) -> None:
        self._version = version
        self.is_set = content is not None
        self.creators = privileged_creators(create)
        self._levels = dict(DEFAULT_LEVELS)
        if content is None:
            creator = room_creator(create)
            self._users: Mapping[str, Any] = {} if creator is None else {creator: _CREATOR_LEVEL}
            self._events: Mapping[str, Any] = {}
            self._notifications: Mapping[str, Any] = {}
            return
        self._users = _object(content.get("users"))
        self._events = _object(content.get("events"))
        self._notifications = _object(content.get("notifications"))
        for name in DEFAULT_LEVELS:
            level = parse_level(content.get(name), version)
            if level is not None:
                self._levels[name] = level

    def of(self, user_id: str) -> int | float:
        """The power of a user: an integer, or `INFINITE` for the creators of a version 12 room."""
        if user_id in self.creators:
            return INFINITE
        level = self._entry(self._users, user_id)
        return self._levels["users_default"] if level is None else level

    def to_send(self, event_type: str, is_state: bool) -> int:
        """The level needed to send an event of this type; membership and redaction have rules of their own on top."""
        level = self._entry(self._events, event_type)
        if level is not None:
            return level
        return self._levels["state_default" if is_state else "events_default"]

    def notifications(self, key: str) -> int:
        """The level needed to trigger a notification of this kind, such as `room`."""
        level = self._entry(self._notifications, key)
        return DEFAULT_NOTIFICATION_LEVEL if level is None else level

    @property
    def invite(self) -> int:
        """The level needed to invite."""
        return self._levels["invite"]

    @property
    def kick(self) -> int:
        """The level needed to kick; the target must have less power than the sender besides."""
        return self._levels["kick"]

    @property
    def ban(self) -> int:
        """The level needed to ban and unban; the target must have less power than the sender besides."""
        return self._levels["ban"]

    @property
    def redact(self) -> int:
        """The level needed to redact events of others."""
        return self._levels["redact"]

    def _entry(self, entries: Mapping[str, Any], key: str) -> int | None:
        value = entries.get(key)
        return value if type(value) is int else parse_level(value, self._version)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
