"""The stream `receipts`: one fact per receipt, in the room's log."""

from replication.streams import Fact, Storage, Stream
from synapse_like.features.receipts import sql
from synapse_like.rooms.families import ROOM


class ReceiptFact(Fact):
    """A user has read up to an event. `thread` is empty for an unthreaded receipt."""

    room_id: str
    room_nid: int
    user_id: str
    type: str
    thread: str
    event_id: str
    depth: int
    event_number: int
    at_ms: int


RECEIPTS = Stream("receipts", ROOM, ReceiptFact, key="room_id")


def storage() -> Storage[ReceiptFact]:
    """How the facts are stored: the newest of each room, user, type and thread."""
    return Storage(
        RECEIPTS,
        lambda txn, facts: sql.store(txn, [_row(fact) for fact in facts]),
        lambda txn, after, upto: [_fact(row) for row in sql.between(txn, after, upto)],
    )


def _row(fact: ReceiptFact) -> sql.Stored:
    key = (fact.room_nid, fact.user_id, fact.type, fact.thread)
    return (*key, fact.room_id, fact.event_id, fact.depth, fact.event_number, fact.at_ms, fact.number)


def _fact(row: sql.Stored) -> ReceiptFact:
    room_nid, user_id, kind, thread, room_id, event_id, depth, event_number, at_ms, number = row
    return ReceiptFact(
        number=number,
        room_id=room_id,
        room_nid=room_nid,
        user_id=user_id,
        type=kind,
        thread=thread,
        event_id=event_id,
        depth=depth,
        event_number=event_number,
        at_ms=at_ms,
    )
