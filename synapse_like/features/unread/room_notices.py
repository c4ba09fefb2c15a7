"""What the owner of a room keeps to count its events: the members' compiled rules.

Everything here is memory of one live room and goes away with it. Reading and writing the database is in `notices`.
"""

from weakref import ref

import msgspec

from synapse_like.features.unread.counting import NOTHING, Counts, StoredMode
from synapse_like.features.unread.threads import marks_read, thread_of
from synapse_like.features.unread.wishes import NONE, Wishes
from synapse_like.matrix.events import Event
from synapse_like.matrix.push_rules import EventView, RoomContext, RoomMatcher, RoomOutcome, compile_ruleset
from synapse_like.rooms.facts import Deviation
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.ports import Outcome


class RoomNotices:
    """The local joined members of one live room.

    `told` are the modes that the room's log knows.
    """

    def __init__(self, room: LiveRoom, told: dict[str, StoredMode], server_name: str) -> None:
        self._room = ref(room)  # which holds this: a circle would keep both when the room is dropped
        self.told = told
        self._matcher = RoomMatcher()
        self._wishes: dict[str, Wishes] = {}
        self._suffix = f":{server_name}"
        self._trunk_version = room.head.trunk_version

    @property
    def room(self) -> LiveRoom:
        """The room. Whoever asks has it in hand."""
        room = self._room()
        if room is None:
            raise ReferenceError("the live room is gone")
        return room

    def is_local(self, user_id: str) -> bool:
        """Whether a user is one of this server."""
        return user_id.endswith(self._suffix)

    def counts_for(self, user_id: str) -> bool:
        """Whether a user's rules are of interest: those of members, and of who is about to become one."""
        return user_id in self._matcher or user_id in self._wishes

    def learn(self, user_id: str, wishes: Wishes) -> None:
        """Take in what a user wants, unless newer wishes are known."""
        self._wishes[user_id] = wishes.newest(self._wishes.get(user_id, NONE))

    def place_everybody(self) -> list[str]:
        """Compile the rules of all local joined members; those whose mode the log has to be told."""
        return [user_id for user_id in list(self.room.members) if self.place(user_id)]

    def place(self, user_id: str) -> bool:
        """Bring a user's membership, display name and rules up to date; whether the log has to be told of a mode."""
        member = self.room.members.get(user_id)
        if member is None or member.membership != "join" or not self.is_local(user_id):
            self._matcher.remove(user_id)
            self._wishes.pop(user_id, None)
            return False
        wishes = self._wishes.get(user_id, NONE)
        if wishes.are_untouched:
            self._wishes.pop(user_id, None)
        compiled = compile_ruleset(wishes.ruleset, self.room.identity.room_id)
        self._matcher.add(user_id, compiled, member.display_name)
        return StoredMode.of(compiled.mode) is not self.told.get(user_id, StoredMode.ALL)

    def mode_of(self, user_id: str) -> StoredMode:
        """How the room counts for a member from now on."""
        return StoredMode.of(self._matcher.mode(user_id))

    def follow(self, members: list[str], *, has_changed: bool) -> list[str]:
        """Take in a change of the room's state; those members whose mode the log has to be told.

        If the trunk is not where one change would have brought it (a batch was refused half-way), all are looked at.
        """
        self._trunk_version += has_changed
        if self._trunk_version == self.room.head.trunk_version:
            return [user_id for user_id in members if self.place(user_id)]
        self._trunk_version = self.room.head.trunk_version
        gone = [user_id for user_id in self._matcher if user_id not in self.room.members]
        return [user_id for user_id in (*gone, *self.room.members) if self.place(user_id)]

    def count(self, event: Event) -> Outcome:
        """Evaluate an event that the room has taken in, and move the counters of its thread.

        Nobody's rules are asked about an event that nobody but its sender could be told of.
        """
        room = self.room
        thread = thread_of(event.content, event.state_key)
        if all(user_id == event.sender for user_id in self._matcher):
            notified, highlighted = self._moved(thread, NOTHING)
            return Outcome(thread=thread, notified=notified, highlighted=highlighted)
        levels = room.power_levels
        context = RoomContext(room.head.joined_members, levels.of(event.sender), levels.notifications)
        found = self._matcher.match(EventView(event), context)
        notified, highlighted = self._moved(thread, (int(found.notify_all), int(found.highlight_all)))
        return Outcome(
            thread=thread,
            counts=int(found.notify_all),
            highlights=int(found.highlight_all),
            notified=notified,
            highlighted=highlighted,
            deviations=self._deviations(event, found),
        )

    def _moved(self, thread: str | None, counts: Counts) -> Counts:
        head = self.room.head
        counters = self.room.thread_counters
        before = (head.notified, head.highlighted) if thread is None else counters.get(thread, NOTHING)
        after = before[0] + counts[0], before[1] + counts[1]
        if thread is not None:
            counters[thread] = after
        elif after != before:
            self.room.head = msgspec.structs.replace(head, notified=after[0], highlighted=after[1])
        return after

    def _deviations(self, event: Event, found: RoomOutcome) -> tuple[Deviation, ...]:
        """Who gets something else than the mode says. A sender whose mark moves to the event needs no difference."""
        plain = int(found.notify_all), int(found.highlight_all)
        skipped = event.sender if marks_read(event) else None
        deviations = []
        for user_id, counts in found.exceptions.items():
            if user_id != skipped:
                usual = self.mode_of(user_id).of_counts(plain)
                deviations.append(Deviation(user_id, counts[0] - usual[0], counts[1] - usual[1]))
        return tuple(deviations)
