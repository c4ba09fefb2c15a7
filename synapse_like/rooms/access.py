"""What a user may see of a room's past: the history of visibility and of the user's own membership, along the trunk.

Two keys of the trunk answer for any number of events at once; only events off the trunk look their state up one by one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.visibility import Standing, Visibility, may_see_event, visibility_of
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.sql import access as sql
from synapse_like.toolkit.db import Transaction

VISIBILITY_KEY = ("m.room.history_visibility", "")


@dataclass(slots=True)
class PastOfKey:
    """The values of one key along the trunk: at `versions[i]` it became `values[i]`."""

    versions: list[int] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)

    def at(self, version: int) -> str | None:
        """The value in force at a version of the trunk."""
        index = bisect_right(self.versions, version) - 1
        return self.values[index] if index >= 0 else None


@dataclass(slots=True)
class Past:
    """What decides who sees what in one room, for one user."""

    user_id: str
    visibility: PastOfKey = field(default_factory=PastOfKey)
    membership: PastOfKey = field(default_factory=PastOfKey)
    off_trunk: dict[StateRef, Standing] = field(default_factory=dict)
    """Visibility and membership in states of branches, as far as `learn` has looked them up."""
    _joined_since: int | None = None

    @property
    def joined_since(self) -> int:
        """The version of the trunk since which the user has been in the room, without a gap up to now."""
        if self._joined_since is None:
            since = 2**62
            for version, value in zip(
                reversed(self.membership.versions), reversed(self.membership.values), strict=True
            ):
                if value != "join":
                    break
                since = version
            self._joined_since = since
        return self._joined_since

    def standing(self, event: StoredEvent) -> Standing:
        """Visibility and membership before an event. Off the trunk, if nobody has looked: as they are now."""
        if (known := self.off_trunk.get(event.before)) is not None:
            return known
        version = event.before.version if event.before.branch == TRUNK else 2**62
        visibility = self.visibility.at(version)
        return Standing(_visibility(visibility), self.membership.at(version))

    def shows(self, event: StoredEvent) -> bool:
        """Whether the user may see an event: at once where the user was in the room, as nearly always."""
        if event.before.branch == TRUNK and event.before.version >= self.joined_since:
            return True
        version = event.before.version if event.before.branch == TRUNK else -1
        has_joined_later = "join" in self.membership.values[bisect_right(self.membership.versions, version) :]
        return may_see_event(event.event, self.user_id, self.standing(event), has_joined_later)

    def membership_at(self, event: StoredEvent) -> str:
        """The user's membership at an event, for `unsigned.membership` (MSC4115): after it, for one's own."""
        if event.event.type == "m.room.member" and event.event.state_key == self.user_id:
            return event.event.membership or "leave"
        if event.before.branch == TRUNK and event.before.version >= self.joined_since:
            return "join"
        return self.standing(event).membership or "leave"

    def visible(self, events: Iterable[StoredEvent]) -> list[StoredEvent]:
        """Those events that the user may see, in their order."""
        return [event for event in events if self.shows(event)]


def pasts(transaction: Transaction, user_id: str, room_nids: Sequence[int]) -> Mapping[int, Past]:
    """The pasts of several rooms for one user, in one query."""
    found = {nid: Past(user_id) for nid in room_nids}
    for room_nid, kind, version, text in sql.past_of_keys(transaction, user_id, room_nids):
        content = parsed(text)["content"] if text is not None else None
        past = found[room_nid]
        if kind == VISIBILITY_KEY[0]:
            key, value = past.visibility, None if content is None else content.get("history_visibility")
        else:
            key, value = past.membership, None if content is None else content.get("membership")
        key.versions.append(version)
        key.values.append(value if isinstance(value, str) else None)
    return found


def learn(transaction: Transaction, known: Mapping[int, Past], events: Iterable[StoredEvent]) -> None:
    """Look up how the reader stood at those of the events that are off the trunk: one query if there are any."""
    unknown = {
        (event.room_nid, event.before)
        for event in events
        if event.before.branch != TRUNK and (past := known.get(event.room_nid)) and event.before not in past.off_trunk
    }
    asked = [
        (nid, ref, key)
        for nid, ref in sorted(unknown, key=lambda each: (each[0], each[1].branch, each[1].version))
        for key in (VISIBILITY_KEY, ("m.room.member", known[nid].user_id))
    ]
    rows = [(index, nid, ref.branch, ref.version, *key) for index, (nid, ref, key) in enumerate(asked)]
    found = {index: parsed(text)["content"] for index, text in sql.contents_at(transaction, rows)}
    for index in range(0, len(asked), 2):
        nid, ref, _ = asked[index]
        membership = found.get(index + 1, {}).get("membership")
        known[nid].off_trunk[ref] = Standing(
            visibility_of(found.get(index)), membership if isinstance(membership, str) else None
        )


def _visibility(value: str | None) -> Visibility:
    return visibility_of(None if value is None else {"history_visibility": value})
