"""SQL: what one reader may see of one room, and pages of its timeline.

Rows bring everything that rendering asks for (redaction, transaction id), so that a page is one question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_like.rooms.sql.events import COLUMNS
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

WHOLE = f"""{COLUMNS}, p.event_id, p.number, p.kind, p.received_ms, p.branch, p.version, p.json, p.extras"""
"""The columns of an event and of the redaction that took effect on it; what `timeline.whole_event` takes."""

JOINS = """JOIN rooms r ON r.room_nid = e.room_nid
    LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id
    LEFT JOIN events p ON p.event_nid = x.redaction_nid"""

_OWN = """LEFT JOIN event_transactions y ON y.room_nid = e.room_nid AND y.received_ms = e.received_ms
    AND y.event_id = e.event_id AND y.user_id = :user_id AND y.device_id = :device_id"""

_VIEW = """
    SELECT r.room_nid, r.shard, k.type, t.version, t.number, e.depth, e.json, m.is_forgotten, h.trunk_version,
        (SELECT max(x.number) FROM redactions x WHERE x.room_nid = r.room_nid),
        (SELECT min(x.number) FROM redactions x WHERE x.room_nid = r.room_nid)
    FROM rooms r
    JOIN state_trunk t ON t.room_nid = r.room_nid AND t.key_nid IN (
        (SELECT key_nid FROM state_keys WHERE type = 'm.room.history_visibility' AND state_key = ''),
        (SELECT key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :user_id))
    JOIN state_keys k ON k.key_nid = t.key_nid
    LEFT JOIN events e ON e.event_nid = t.event_nid
    LEFT JOIN members m ON m.room_nid = t.room_nid AND m.user_nid = t.key_nid
    LEFT JOIN room_heads h ON h.room_nid = r.room_nid
    WHERE r.room_id = :room_id ORDER BY t.version
"""
_ROOM_OF_EVENT = "SELECT r.room_id FROM events e JOIN rooms r ON r.room_nid = e.room_nid WHERE e.event_id = :event_id"

_SEEN = """SELECT {column} FROM events s WHERE s.room_nid = :room_nid AND s.number <= :{end}_seen AND s.kind = 0
    ORDER BY s.number DESC LIMIT 1"""


def _place(end: str) -> str:
    """The place of one end of a span: behind what a sync had seen, if it is given so, else as given."""
    depth, number = (_SEEN.format(column=column, end=end) for column in ("s.depth", "s.number + 1"))
    return f"(coalesce(({depth}), :{end}_depth), coalesce(({number}), :{end}_number))"


_SPAN = f"""n.room_nid = :room_nid AND n.kind IN (0, 1)
    AND (n.depth, n.number) >= {_place("low")} AND (n.depth, n.number) < {_place("high")}"""
_WANTED = """(:has_types = 0 OR n.type IN :types) AND n.type NOT IN :not_types
    AND (:has_senders = 0 OR n.sender IN :senders) AND n.sender NOT IN :not_senders
    AND (n.key_nid IS NOT NULL OR n.sender NOT IN :ignored)"""

_PAGES = {
    order: f"""
        SELECT {WHOLE}, y.transaction_id FROM (
            SELECT * FROM events n WHERE {_SPAN} AND {_WANTED}
            ORDER BY n.depth {order}, n.number {order} LIMIT :bound
        ) e {JOINS} {_OWN} ORDER BY e.depth {order}, e.number {order}
    """
    for order in ("ASC", "DESC")
}
_TARGET = """SELECT {column} FROM events d WHERE d.event_id = :event_id AND d.room_nid = :room_nid
    AND d.kind IN (0, 1)"""
_MIDDLE = f"(({_TARGET.format(column='d.depth')}), ({_TARGET.format(column='d.number')}))"
_AROUND = f"""
    SELECT {WHOLE}, y.transaction_id FROM (
        SELECT * FROM ({_TARGET.format(column="d.event_nid")}) middle
        UNION ALL SELECT * FROM (
            SELECT n.event_nid FROM events n WHERE n.room_nid = :room_nid AND n.kind IN (0, 1)
                AND (n.depth, n.number) < {_MIDDLE} ORDER BY n.depth DESC, n.number DESC LIMIT :before
        ) earlier
        UNION ALL SELECT * FROM (
            SELECT n.event_nid FROM events n WHERE n.room_nid = :room_nid AND n.kind IN (0, 1)
                AND (n.depth, n.number) > {_MIDDLE} ORDER BY n.depth, n.number LIMIT :after
        ) later
    ) chosen JOIN events e ON e.event_nid = chosen.event_nid {JOINS} {_OWN} ORDER BY e.depth, e.number
"""
_ONE = f"""
    SELECT {WHOLE}, y.transaction_id FROM events e {JOINS} {_OWN}
    WHERE e.event_id = :event_id AND e.room_nid = :room_nid AND e.kind IN (0, 1)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a page is made of, as far as the database can tell. None: not said."""

    types: Sequence[str] | None = None
    not_types: Sequence[str] = ()
    senders: Sequence[str] | None = None
    not_senders: Sequence[str] = ()
    ignored: Sequence[str] = ()
    """Senders of whom only state is wanted."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a room, from the low end up to but without the high end: (depth, number, seen) each."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]


def view(transaction: Transaction, user_id: str, room_id: str) -> list[Row]:
    """What visibility and a user's membership were along the trunk: (room, shard, type, version, number, depth, json,
    whether forgotten, the trunk's newest version, the last number of a redaction, the first); nothing for an unknown
    room.
    """
    return transaction.all(_VIEW, user_id=user_id, room_id=room_id)


def room_of_event(transaction: Transaction, event_id: str) -> str | None:
    """The room that an event is in."""
    row = transaction.one(_ROOM_OF_EVENT, event_id=event_id)
    return str(row[0]) if row else None


def page(
    transaction: Transaction,
    room_nid: int,
    span: Span,
    wanted: Wanted,
    reader: tuple[str, str],
    bound: int,
    *,
    is_backward: bool,
) -> list[Row]:
    """The first events of a span in a direction, with the transaction ids of `reader` (user, device)."""
    return transaction.all(
        _PAGES["DESC" if is_backward else "ASC"],
        room_nid=room_nid,
        bound=bound,
        user_id=reader[0],
        device_id=reader[1],
        has_types=int(wanted.types is not None),
        types=list(wanted.types or ()),
        not_types=list(wanted.not_types),
        has_senders=int(wanted.senders is not None),
        senders=list(wanted.senders or ()),
        not_senders=list(wanted.not_senders),
        ignored=list(wanted.ignored),
        **_ends(span),
    )


def around(
    transaction: Transaction, room_nid: int, event_id: str, reader: tuple[str, str], before: int, after: int
) -> list[Row]:
    """An event and its neighbours, oldest first; nothing if there is no such event in the room."""
    return transaction.all(
        _AROUND,
        room_nid=room_nid,
        event_id=event_id,
        user_id=reader[0],
        device_id=reader[1],
        before=before,
        after=after,
    )


def one(transaction: Transaction, room_nid: int, event_id: str, reader: tuple[str, str]) -> Row | None:
    """One event of the room's timeline."""
    user_id, device_id = reader
    return transaction.one(_ONE, room_nid=room_nid, event_id=event_id, user_id=user_id, device_id=device_id)


def _ends(span: Span) -> dict[str, int]:
    names = ("depth", "number", "seen")
    low = {f"low_{name}": value for name, value in zip(names, span.low, strict=True)}
    return low | {f"high_{name}": value for name, value in zip(names, span.high, strict=True)}
