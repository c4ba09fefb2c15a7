"""SQL: the state of a room that is about to become live here, written in bulk."""

from collections.abc import Sequence

from synapse_like.rooms.sql import numbers as numbers_sql
from synapse_like.rooms.sql import state as state_sql
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_HAS_HEAD = "SELECT 1 FROM room_heads WHERE room_nid = :room_nid"
_FORGET = (
    "DELETE FROM state_trunk WHERE room_nid = :room_nid",
    "DELETE FROM current_state WHERE room_nid = :room_nid",
    "DELETE FROM members WHERE room_nid = :room_nid AND is_local = 0",
)
_VERSION = "UPDATE rooms SET room_version = :version WHERE room_nid = :room_nid"
_FORGET_HEARSAY = (
    "DELETE FROM members WHERE room_nid = :room_nid",
    "DELETE FROM events WHERE room_nid = :room_nid",
)
_COUNT = "SELECT count(*) FROM current_state WHERE room_nid = :room_nid"

room = numbers_sql.room
"""A room's number, version and shard."""


def correct_version(transaction: Transaction, room_id: str, version: str) -> None:
    """Believe the servers of a room about its version, not whoever invited: what we have of it by another version, and
    never as a room that was live here, is forgotten.
    """
    known = room(transaction, room_id)
    if known is None or known[1] == version or transaction.one(_HAS_HEAD, room_nid=known[0]) is not None:
        return
    for statement in _FORGET_HEARSAY:
        transaction.run(statement, room_nid=known[0])
    transaction.run(_VERSION, version=version, room_nid=known[0])


def forget_attempt(transaction: Transaction, room_nid: int) -> None:
    """Take away what was written for a room that has not become live."""
    if transaction.one(_HAS_HEAD, room_nid=room_nid) is None:
        for statement in _FORGET:
            transaction.run(statement, room_nid=room_nid)


def add_state(transaction: Transaction, trunk: Sequence[Row], current: Sequence[Row], members: Sequence[Row]) -> None:
    """Write members of other servers: rows of the trunk, of the current state, of the members."""
    state_sql.add_trunk(transaction, trunk)
    state_sql.set_current(transaction, current, [])
    state_sql.set_members(transaction, members, [])


def count_of_state(transaction: Transaction, room_nid: int) -> int:
    """How many keys the current state has."""
    row = transaction.one(_COUNT, room_nid=room_nid)
    return int(row[0]) if row else 0
