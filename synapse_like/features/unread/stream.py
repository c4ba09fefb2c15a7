"""The stream `unread_modes`: how a room counts for a member, from a place in the room's log on."""

from replication.streams import Fact, Storage, Stream
from synapse_like.features.unread.sql import writing as sql
from synapse_like.rooms.families import ROOM


class ModeFact(Fact):
    """A member's mode (a `StoredMode`) from here on, and the main timeline's counters here."""

    room_id: str
    room_nid: int
    user_id: str
    mode: int
    notified: int
    highlighted: int


MODES = Stream("unread_modes", ROOM, ModeFact, key="room_id", wakes=("user_id",))


def storage() -> Storage[ModeFact]:
    """How the facts are stored: all of them, until what is before them was read."""
    return Storage(
        MODES,
        lambda txn, facts: sql.add_modes(txn, [_row(fact) for fact in facts]),
        lambda txn, after, upto: [
            ModeFact(
                user_id=user_id,
                room_nid=room_nid,
                number=number,
                mode=mode,
                notified=notified,
                highlighted=highlighted,
                room_id=room_id,
            )
            for user_id, room_nid, number, mode, notified, highlighted, room_id in sql.modes_between(txn, after, upto)
        ],
    )


def _row(fact: ModeFact) -> tuple[str, int, int, int, int, int]:
    return fact.user_id, fact.room_nid, fact.number, fact.mode, fact.notified, fact.highlighted
