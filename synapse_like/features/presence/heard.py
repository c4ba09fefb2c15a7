"""What this process has heard of presence: the last fact of each user, and in which rooms these users are.

Not here: who may see what (`section`), and what is true at the moment (`logic`, at the user's owner).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from replication.reader import Reader
from synapse_like.features.presence.person import OFFLINE
from synapse_like.features.presence.stream import PRESENCE, PresenceFact
from synapse_like.rooms.facts import EVENTS, EventFact

_KNOWN_USERS = 100_000


@dataclass(slots=True)
class HeardOf:
    """The last fact of a user, the count (`Reader.ephemeral`) at which it came, and the user's rooms as of now."""

    fact: PresenceFact
    at: int
    rooms: set[str]
    shown: tuple[int, bytes] | None = None
    """What readers are shown, and in which second that was put together."""


class Heard:
    """At most `limit` users; those who have been offline for longest are forgotten first."""

    def __init__(self, reader: Reader, excluded_rooms: Collection[str], limit: int = _KNOWN_USERS) -> None:
        self._reader = reader
        self._excluded_rooms = excluded_rooms
        self._limit = limit
        self._users: OrderedDict[str, HeardOf] = OrderedDict()
        self._offline: OrderedDict[str, None] = OrderedDict()
        self._in_room: dict[str, set[str]] = {}
        reader.subscribe(PRESENCE, self._take)
        reader.subscribe(EVENTS, self._take_memberships)

    def __len__(self) -> int:
        return len(self._users)

    def of(self, user_id: str) -> HeardOf | None:
        """What was heard of a user."""
        return self._users.get(user_id)

    def after(self, at: int) -> Iterator[HeardOf]:
        """What was heard after a count, the newest first."""
        for heard in reversed(self._users.values()):
            if heard.at <= at:
                return
            yield heard

    def members(self, room_id: str) -> Collection[str]:
        """The users in a room of whom something was heard."""
        return self._in_room.get(room_id, ())

    def _take(self, facts: Sequence[PresenceFact]) -> None:
        for fact in facts:
            self._forget(fact.user_id)
            self._users[fact.user_id] = HeardOf(fact, self._reader.ephemeral, set())
            for room_id in fact.rooms:
                self._enter(fact.user_id, room_id)
            if fact.presence == OFFLINE:
                self._offline[fact.user_id] = None
        while len(self._users) > self._limit:
            self._forget(next(iter(self._offline or self._users)))

    def _take_memberships(self, facts: Sequence[EventFact]) -> None:
        for fact in facts:
            for change in fact.trunk:
                if change.type != "m.room.member" or change.state_key not in self._users:
                    continue
                if change.member is not None and change.member.membership == "join":
                    self._enter(change.state_key, fact.room_id)
                else:
                    self._leave(change.state_key, fact.room_id)

    def _enter(self, user_id: str, room_id: str) -> None:
        if room_id not in self._excluded_rooms:
            self._users[user_id].rooms.add(room_id)
            self._in_room.setdefault(room_id, set()).add(user_id)

    def _leave(self, user_id: str, room_id: str) -> None:
        self._users[user_id].rooms.discard(room_id)
        users = self._in_room.get(room_id)
        if users is not None:
            users.discard(user_id)
            if not users:
                del self._in_room[room_id]

    def _forget(self, user_id: str) -> None:
        self._offline.pop(user_id, None)
        heard = self._users.get(user_id)
        if heard is not None:
            for room_id in tuple(heard.rooms):
                self._leave(user_id, room_id)
            del self._users[user_id]
