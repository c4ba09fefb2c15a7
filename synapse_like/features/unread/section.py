"""Unread counts in /sync: of the rooms that the response has, of those in which the user has read something, and of
those in which something counted that the user does not see (by a filter, or from an ignored user).
"""

from replication.numbers import pack
from replication.reader import Reader
from synapse_like.features.receipts import RECEIPTS
from synapse_like.features.unread.counting import Counts, total
from synapse_like.features.unread.logic import RoomCounts
from synapse_like.features.unread.sql import reading
from synapse_like.features.unread.tally import Tallies, Tally
from synapse_like.rooms.memberships import UserRoom
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction


class UnreadSection:
    """Comes after the sections that add rooms to the response."""

    name = "unread"
    is_ephemeral = False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._tallies = Tallies(reader)

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Set the counts, from tallies that recent facts move on."""
        if context.since is not None and context.since.rooms == context.now.rooms:
            return True
        rooms = self._concerned(context, response)
        if rooms is None:
            return False
        for room in rooms:
            counts = self._tallies.now(context.user_id, room)
            if counts is None:
                return False
            _put(context, response, room, counts)
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Set the counts, in a fixed number of queries, and keep what they say."""
        rooms = [room for room in context.joined() if room.room_id in response.joined_rooms]
        if context.since is not None:
            others = [room for room in context.joined() if room.room_id not in response.joined_rooms]
            asked = [(room.room_nid, context.room_after(room) or 0) for room in others]
            changed = reading.changed(transaction, context.user_id, asked)
            rooms += [room for room in others if room.room_nid in changed]
        standings = reading.standings(transaction, context.user_id, [room.room_nid for room in rooms])
        for room in rooms:
            tally = Tally.of(standings[room.room_nid], pack(room.shard, context.now.rooms[room.shard]))
            _put(context, response, room, tally.counts)
            self._tallies.keep(context.user_id, room.room_id, tally)

    def _concerned(self, context: SyncContext, response: SyncResponse) -> list[UserRoom] | None:
        """The rooms whose counts are to be told; None if memory does not reach back."""
        recent = self._reader.recent(RECEIPTS)
        found = [context.rooms[room_id] for room_id in response.joined_rooms if context.has_joined(room_id)]
        for room in context.touched_joined():
            if room.room_id in response.joined_rooms:
                continue
            after = context.room_after(room)
            receipts = None if after is None else recent.since(room.room_id, after)
            if receipts is None or after is None:
                return None
            has_read = any(receipt.user_id == context.user_id for receipt in receipts)
            if has_read or self._tallies.may_have_changed(context.user_id, room, after):
                found.append(room)
        return found


def _put(context: SyncContext, response: SyncResponse, room: UserRoom, unread: dict[str, Counts]) -> None:
    joined = response.joined(room.room_id)
    if context.filter.room.timeline.unread_thread_notifications:
        counts = RoomCounts.of(unread)
        joined.counts, joined.thread_counts = counts.main, counts.threads
    else:
        joined.counts = total(unread)
