"""The rules for a change of `m.room.power_levels`: nobody touches or grants more than they have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.auth_rules.selection import POWER_LEVELS
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import looks_like_user_id
from synapse_like.matrix.power_levels import DEFAULT_LEVELS, parse_level
from synapse_like.matrix.room_versions import RoomVersion


def check_power_levels(event: Event, room: Room) -> None:
    """Check new power levels against the current ones; raises `AuthError`."""
    version = event.room_version
    if version.integer_power_levels:
        _check_integers(event.content)
    elif not version.strict_canonical_json:
        _check_finite(event.content)
    _check_users(event.content, version)
    for creator in room.power_levels.creators:
        if creator in event.content.get("users", {}):
            raise AuthError(f"{creator} is a creator and has no place in the power levels")
    current = room.state.get(POWER_LEVELS)
    if current is None:
        return
    power = room.power_levels.of(event.sender)
    for name, old, new in _changes(current.content, event.content, version):
        if (old is not None and old > power) or (new is not None and new > power):
            raise AuthError(f"Changing {name} from {old} to {new} needs more power than {power}")
    for user_id, old, new in _entry_changes("users", current.content, event.content, version):
        if user_id != event.sender and old is not None and old >= power:
            raise AuthError(f"{user_id} has as much power as {event.sender}")
        if new is not None and new > power:
            raise AuthError(f"{event.sender} may not grant power level {new}")


def _check_integers(content: Mapping[str, Any]) -> None:
    """Version 10 and later: every level is an integer (those of `users` are looked at in every version)."""
    for name in DEFAULT_LEVELS:
        if name in content and type(content[name]) is not int:
            raise AuthError(f"{name} must be an integer")
    for group in ("events", "notifications"):
        if group not in content:
            continue
        entries = content[group]
        if not isinstance(entries, dict) or not all(type(level) is int for level in entries.values()):
            raise AuthError(f"{group} must be an object of integers")


def _check_finite(content: Mapping[str, Any]) -> None:
    """Versions 1 to 5: floats are levels, but infinities and NaN are not."""
    entries = [level for group in ("events", "notifications") for level in _object(content, group).values()]
    for level in [*entries, *(content.get(name) for name in DEFAULT_LEVELS)]:
        if isinstance(level, float) and not math.isfinite(level):
            raise AuthError("A power level must be finite")


def _check_users(content: Mapping[str, Any], version: RoomVersion) -> None:
    users = content.get("users", {})
    if not isinstance(users, dict):
        raise AuthError("users must be an object")
    for user_id, level in users.items():
        if not looks_like_user_id(user_id):
            raise AuthError(f"{user_id!r} is not a user ID")
        if parse_level(level, version) is None:
            raise AuthError(f"The power level of {user_id} must be an integer")


Change = tuple[str, int | None, int | None]
"""What changes, its level before and after; None where it is not set."""


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], version: RoomVersion) -> Iterator[Change]:
    """The levels that differ, but for those of users."""
    for name in DEFAULT_LEVELS:
        before, after = _level(old, name, version), _level(new, name, version)
        if before != after:
            yield name, before, after
    yield from _entry_changes("events", old, new, version)
    if version.limits_notifications_power_levels:
        yield from _entry_changes("notifications", old, new, version)


def _entry_changes(
    group: str, old: Mapping[str, Any], new: Mapping[str, Any], version: RoomVersion
) -> Iterator[Change]:
    before, after = _object(old, group), _object(new, group)
    for key in before.keys() | after.keys():
        if before.get(key) != after.get(key) or (key in before) != (key in after):
            was, becomes = _level(before, key, version), _level(after, key, version)
            if was != becomes:
                yield key, was, becomes


def _level(levels: Mapping[str, Any], name: str, version: RoomVersion) -> int | None:
    return parse_level(levels.get(name), version)


def _object(content: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    value = content.get(group)
    return value if isinstance(value, dict) else {}
