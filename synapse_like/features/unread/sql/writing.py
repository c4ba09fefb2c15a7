"""SQL: what unread counts are made of, written."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_ADD_MODES = "INSERT INTO unread_modes (user_id, room_nid, number, mode, notified, highlighted) VALUES :rows"
_MODES_BETWEEN = """
    SELECT u.user_id, u.room_nid, u.number, u.mode, u.notified, u.highlighted, r.room_id
    FROM unread_modes u JOIN rooms r ON r.room_nid = u.room_nid
    WHERE u.number > :after AND u.number <= :upto ORDER BY u.number
"""
_MODES_NOW = """
    SELECT u.user_id, u.mode FROM unread_modes u
    JOIN (SELECT user_id, max(number) AS number FROM unread_modes WHERE room_nid = :room_nid GROUP BY user_id) newest
        ON newest.user_id = u.user_id AND newest.number = u.number
    WHERE u.room_nid = :room_nid
"""
_THREADS = """
    SELECT thread, notified, highlighted FROM unread_threads WHERE room_nid = :room_nid AND thread IN :threads
"""

_SET_MARKS = """
    INSERT INTO unread_marks (user_id, room_nid, thread, number, notified, highlighted, changed) VALUES :rows
    ON CONFLICT (user_id, room_nid, thread) DO UPDATE SET number = excluded.number, notified = excluded.notified,
        highlighted = excluded.highlighted, changed = excluded.changed
    WHERE excluded.number > unread_marks.number
"""
_ADD_DEVIATIONS = """
    INSERT INTO unread_deviations (user_id, room_nid, number, thread, notify, highlight) VALUES :rows
"""
_SET_THREADS = """
    INSERT INTO unread_threads (room_nid, thread, number, notified, highlighted) VALUES :rows
    ON CONFLICT (room_nid, thread) DO UPDATE SET number = excluded.number, notified = excluded.notified,
        highlighted = excluded.highlighted
"""

_COUNTED = """
    SELECT e.room_nid, e.number, e.thread, e.notified, e.highlighted FROM events e
    WHERE e.event_id IN :event_ids AND e.kind = 0 AND e.number IS NOT NULL
"""
_MAIN_BEFORE = """
    SELECT notified, highlighted FROM events
    WHERE room_nid = :room_nid AND number < :number AND number > 0 AND kind = 0 AND thread IS NULL
    ORDER BY number DESC LIMIT 1
"""
_THREAD_BEFORE = """
    SELECT notified, highlighted FROM events
    WHERE room_nid = :room_nid AND thread = :thread AND number < :number AND number > 0 AND kind = 0
    ORDER BY number DESC LIMIT 1
"""
_ADD_CORRECTIONS = """
    INSERT INTO unread_corrections (room_nid, number, thread, notify, highlight) VALUES :rows
    ON CONFLICT (room_nid, number) DO NOTHING
"""
_REMOVE_DEVIATIONS = """
    WITH gone (room_nid, number) AS (VALUES :rows)
    DELETE FROM unread_deviations WHERE EXISTS
        (SELECT 1 FROM gone WHERE gone.room_nid = unread_deviations.room_nid AND gone.number = unread_deviations.number)
"""

_READ_DEVIATIONS = """
    DELETE FROM unread_deviations WHERE user_id = :user_id AND room_nid = :room_nid AND number <= :number
"""
_READ_DEVIATIONS_OF_THREAD = """
    DELETE FROM unread_deviations
    WHERE user_id = :user_id AND room_nid = :room_nid AND thread = :thread AND number <= :number
"""
_OVERTAKEN_MARKS = """
    DELETE FROM unread_marks
    WHERE user_id = :user_id AND room_nid = :room_nid AND thread <> '' AND number <= :number
"""
_OVERTAKEN_MODES = """
    DELETE FROM unread_modes WHERE user_id = :user_id AND room_nid = :room_nid AND number < (
        SELECT max(m.number) FROM unread_modes m
        WHERE m.user_id = :user_id AND m.room_nid = :room_nid AND m.number <= :number)
"""


def add_modes(transaction: Transaction, rows: Sequence[Row]) -> None:
    """(user, room, number, mode, notified, highlighted) for each change of a mode."""
    transaction.rows(_ADD_MODES, rows)


def modes_between(transaction: Transaction, after: int, upto: int) -> list[Row]:
    """The changes of modes in a shard's log, with the id of the room."""
    return transaction.all(_MODES_BETWEEN, after=after, upto=upto)


def modes_now(transaction: Transaction, room_nid: int) -> dict[str, int]:
    """The newest mode of everybody who ever had another than all, in a room."""
    return dict(transaction.all(_MODES_NOW, room_nid=room_nid))


def threads(transaction: Transaction, room_nid: int, roots: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The counters of those of the threads that have any events."""
    rows = transaction.all(_THREADS, room_nid=room_nid, threads=roots)
    return {thread: (notified, highlighted) for thread, notified, highlighted in rows}


def set_marks(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Move marks forward: (user, room, thread, number, notified, highlighted, changed), one of each key."""
    transaction.rows(_SET_MARKS, rows)


def add_deviations(transaction: Transaction, rows: Sequence[Row]) -> None:
    """(user, room, number, thread, notify, highlight) for each event that counts otherwise for a member."""
    transaction.rows(_ADD_DEVIATIONS, rows)


def set_threads(transaction: Transaction, rows: Sequence[Row]) -> None:
    """(room, root, number, notified, highlighted): the threads' newest events, one of each thread."""
    transaction.rows(_SET_THREADS, rows)


def counted(transaction: Transaction, event_ids: Sequence[str]) -> list[Row]:
    """(room, number, thread, notified, highlighted) of live events."""
    return transaction.all(_COUNTED, event_ids=event_ids)


def counters_before(transaction: Transaction, room_nid: int, thread: str | None, number: int) -> tuple[int, int]:
    """The counters of a thread (None: the main timeline) before the event of a number."""
    if thread is None:
        row = transaction.one(_MAIN_BEFORE, room_nid=room_nid, number=number)
    else:
        row = transaction.one(_THREAD_BEFORE, room_nid=room_nid, thread=thread, number=number)
    return (row[0], row[1]) if row else (0, 0)


def correct(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Redacted events count for nobody: (room, number, thread, notify, highlight) as they had counted."""
    transaction.rows(_ADD_CORRECTIONS, rows)
    transaction.rows(_REMOVE_DEVIATIONS, [row[:2] for row in rows])


def forget_read(transaction: Transaction, user_id: str, room_nid: int, number: int) -> None:
    """Remove what nobody asks for once everything up to `number` was read."""
    for statement in (_READ_DEVIATIONS, _OVERTAKEN_MARKS, _OVERTAKEN_MODES):
        transaction.run(statement, user_id=user_id, room_nid=room_nid, number=number)


def forget_read_of_thread(transaction: Transaction, user_id: str, room_nid: int, thread: str, number: int) -> None:
    """Remove what nobody asks for once a thread was read up to `number`."""
    transaction.run(_READ_DEVIATIONS_OF_THREAD, user_id=user_id, room_nid=room_nid, thread=thread, number=number)
