"""History visibility: which events of a room a user may see.

Here lives the rule for one event, given the state of the room at that event. Reading that state, ignored users and
events that nobody is shown (soft-failed, rejected) are for the callers.
Source: Client-Server API, "Room History Visibility".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from synapse_like.matrix.events import Event


class Visibility(StrEnum):
    """The values of `history_visibility`, the most permissive first."""

    WORLD_READABLE = "world_readable"
    SHARED = "shared"
    INVITED = "invited"
    JOINED = "joined"


DEFAULT_VISIBILITY = Visibility.SHARED
"""What holds when the room has no `m.room.history_visibility` event or a value that nobody knows."""

_BY_NAME: Mapping[str, Visibility] = {visibility.value: visibility for visibility in Visibility}
_RANKS: Mapping[Visibility, int] = {visibility: rank for rank, visibility in enumerate(Visibility)}


def visibility_rank(visibility: Visibility) -> int:
    """A number that is smaller the more people may see: 0 for `world_readable`, 3 for `joined`."""
    return _RANKS[visibility]


def visibility_of(content: Mapping[str, Any] | None) -> Visibility:
    """The visibility that the content of an `m.room.history_visibility` event sets (None: there is no such event)."""
    value = None if content is None else content.get("history_visibility")
    return _BY_NAME.get(value, DEFAULT_VISIBILITY) if isinstance(value, str) else DEFAULT_VISIBILITY


class Standing(NamedTuple):
    """What the rule looks at in the state of a room: the visibility, and the membership of the one who reads."""

    visibility: Visibility
    membership: str | None


def may_see(standing: Standing, has_joined_later: bool) -> bool:
    """Whether one who stood like this when an event was sent may see it.

    `has_joined_later`: the reader joined at some point after the event (and may have left again since).
    """
    visibility, membership = standing
    if visibility is Visibility.WORLD_READABLE or membership == "join":
        return True
    if visibility is Visibility.SHARED:
        return has_joined_later
    return visibility is Visibility.INVITED and membership == "invite"


def may_see_event(event: Event, reader: str, before: Standing, has_joined_later: bool) -> bool:
    """Whether `reader` may see an event in a room that stood at `before` when it was sent.

    `before` is the state before the event. A change of the history visibility is shown if the value before *or* the
    one after it allows that, and so is the reader's own membership event; what comes after is read from the event.
    Beyond the letter of the rule, readers see how their own invite or knock ended, or their clients would keep it.
    """
    if may_see(before, has_joined_later):
        return True
    if event.state_key is None:
        return False
    if event.type == "m.room.history_visibility" and event.state_key == "":
        return may_see(before._replace(visibility=visibility_of(event.content)), has_joined_later)
    if event.type == "m.room.member" and event.state_key == reader:
        if before.membership in ("invite", "knock") and event.membership in ("leave", "ban"):
            return True
        return may_see(before._replace(membership=event.membership), has_joined_later)
    return False
