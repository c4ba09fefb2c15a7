"""Ways to store a room's state history: the SQL of each candidate. Measuring is in `state_history`.

Every candidate answers the same questions about one trunk: a change of a key per version, `number` growing with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

FOREVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a trunk."""

    room_nid: int
    version: int
    key_nid: int
    event_nid: int
    number: int


_TRUNK = """
    CREATE TABLE state_trunk (room_nid BIGINT NOT NULL, key_nid BIGINT NOT NULL, version BIGINT NOT NULL,
        event_nid BIGINT, number BIGINT NOT NULL, PRIMARY KEY (room_nid, key_nid, version))
"""
_CURRENT = """
    CREATE TABLE current_state (room_nid BIGINT NOT NULL, key_nid BIGINT NOT NULL, event_nid BIGINT,
        PRIMARY KEY (room_nid, key_nid))
"""
_BY_LOG = "CREATE INDEX state_trunk_by_log ON state_trunk (number)"
_BY_VERSION = "CREATE INDEX state_trunk_by_version ON state_trunk (room_nid, version)"
_BY_NUMBER = "CREATE INDEX state_trunk_by_number ON state_trunk (room_nid, number, version)"

_NAMES = "SELECT k.type, k.state_key, s.key_nid, s.event_nid, e.event_id FROM ({state}) s"
_JOINS = " JOIN state_keys k ON k.key_nid = s.key_nid JOIN events e ON e.event_nid = s.event_nid"


class Rows:
    """A row per change, found by the newest version of each key; current state in a table of its own."""

    name = "rows"
    tables: Sequence[str] = (_TRUNK, _CURRENT, _BY_VERSION, _BY_LOG)
    state = """
        SELECT t.key_nid, t.event_nid FROM (
            SELECT key_nid, max(version) AS version FROM state_trunk
            WHERE room_nid = :room AND version <= :version GROUP BY key_nid
        ) newest JOIN state_trunk t
            ON t.room_nid = :room AND t.key_nid = newest.key_nid AND t.version = newest.version
        WHERE t.event_nid IS NOT NULL
    """
    key = """
        SELECT event_nid FROM state_trunk WHERE room_nid = :room AND key_nid = :key AND version <= :version
        ORDER BY version DESC LIMIT 1
    """
    current_state = "SELECT key_nid, event_nid FROM current_state WHERE room_nid = :room AND event_nid IS NOT NULL"
    between = """
        SELECT key_nid, event_nid, version FROM state_trunk
        WHERE room_nid = :room AND number > :after AND number <= :upto ORDER BY number
    """

    def record(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Store a batch of changes."""
        transaction.rows(
            "INSERT INTO state_trunk (room_nid, key_nid, version, event_nid, number) VALUES :rows",
            [(each.room_nid, each.key_nid, each.version, each.event_nid, each.number) for each in changes],
        )
        newest = {(each.room_nid, each.key_nid): each.event_nid for each in changes}
        transaction.rows(
            "INSERT INTO current_state (room_nid, key_nid, event_nid) VALUES :rows"
            " ON CONFLICT (room_nid, key_nid) DO UPDATE SET event_nid = excluded.event_nid",
            [(room, key, event) for (room, key), event in newest.items()],
        )

    def state_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """(key, event) of the whole state as of a version."""
        return transaction.all(self.state, room=room, version=version)

    def names_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """The same with types, state keys and event ids."""
        return transaction.all(_NAMES.format(state=self.state) + _JOINS, room=room, version=version)

    def key_at(self, transaction: Transaction, room: int, version: int, key: int) -> list[Row]:
        """One key as of a version."""
        return transaction.all(self.key, room=room, version=version, key=key)

    def changes_between(self, transaction: Transaction, room: int, after: int, upto: int) -> list[Row]:
        """(key, event, version) of what changed between two numbers."""
        return transaction.all(self.between, room=room, after=after, upto=upto)

    def current(self, transaction: Transaction, room: int) -> list[Row]:
        """(key, event) of the current state."""
        return transaction.all(self.current_state, room=room)


class RowsByNumber(Rows):
    """The same rows, with the index that questions by number ask for in place of the one by version."""

    name = "rows, by number"
    tables = (_TRUNK, _CURRENT, _BY_NUMBER, _BY_LOG)


class ProbedRows(Rows):
    """The same rows; state at a point asks once per key that the room ever had, which current state lists."""

    name = "rows, probed"
    tables = (_TRUNK, _CURRENT, _BY_NUMBER, _BY_LOG)
    state = """
        SELECT key_nid, event_nid FROM (
            SELECT c.key_nid, (
                SELECT t.event_nid FROM state_trunk t
                WHERE t.room_nid = :room AND t.key_nid = c.key_nid AND t.version <= :version
                ORDER BY t.version DESC LIMIT 1
            ) AS event_nid FROM current_state c WHERE c.room_nid = :room
        ) found WHERE event_nid IS NOT NULL
    """


class RolledBack(Rows):
    """The same rows; state at a late point is the current state with what changed since taken back."""

    name = "rows, rolled back"
    tables = (_TRUNK, _CURRENT, _BY_VERSION, _BY_NUMBER, _BY_LOG)
    late_state = """
        SELECT key_nid, event_nid FROM current_state
        WHERE room_nid = :room AND event_nid IS NOT NULL AND key_nid NOT IN (
            SELECT key_nid FROM state_trunk WHERE room_nid = :room AND version > :version)
        UNION ALL
        SELECT t.key_nid, t.event_nid FROM (
            SELECT key_nid, max(version) AS version FROM state_trunk
            WHERE room_nid = :room AND version <= :version AND key_nid IN (
                SELECT key_nid FROM state_trunk WHERE room_nid = :room AND version > :version)
            GROUP BY key_nid
        ) newest JOIN state_trunk t
            ON t.room_nid = :room AND t.key_nid = newest.key_nid AND t.version = newest.version
        WHERE t.event_nid IS NOT NULL
    """

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}

    def record(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Store a batch; a live room would know its newest version."""
        super().record(transaction, changes)
        self._newest |= {each.room_nid: each.version for each in changes}

    def state_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """From the nearer end."""
        return transaction.all(self._state(room, version), room=room, version=version)

    def names_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """The same with names."""
        return transaction.all(_NAMES.format(state=self._state(room, version)) + _JOINS, room=room, version=version)

    def _state(self, room: int, version: int) -> str:
        return self.late_state if (self._newest[room] - version) * 4 < version else self.state


class ClusteredRows(RolledBack):
    """SQLite only: the rows lie in the primary key itself."""

    name = "rows, rolled back, WITHOUT ROWID"
    tables = (_TRUNK + " WITHOUT ROWID", _CURRENT + " WITHOUT ROWID", _BY_VERSION, _BY_NUMBER, _BY_LOG)


class Checkpoints(Rows):
    """Rows, and the full state again whenever three times its size has changed."""

    name = "rows + checkpoints"
    tables = (
        *(_TRUNK, _CURRENT, _BY_VERSION, _BY_NUMBER, _BY_LOG),
        """
        CREATE TABLE state_checkpoints (room_nid BIGINT NOT NULL, version BIGINT NOT NULL, key_nid BIGINT NOT NULL,
            event_nid BIGINT NOT NULL, PRIMARY KEY (room_nid, version, key_nid))
        """,
    )
    state = """
        SELECT c.key_nid, c.event_nid FROM state_checkpoints c
        WHERE c.room_nid = :room AND c.version = :checkpoint AND NOT EXISTS (
            SELECT 1 FROM state_trunk t WHERE t.room_nid = :room AND t.key_nid = c.key_nid
                AND t.version > :checkpoint AND t.version <= :version)
        UNION ALL
        SELECT t.key_nid, t.event_nid FROM (
            SELECT key_nid, max(version) AS version FROM state_trunk
            WHERE room_nid = :room AND version > :checkpoint AND version <= :version GROUP BY key_nid
        ) newest JOIN state_trunk t
            ON t.room_nid = :room AND t.key_nid = newest.key_nid AND t.version = newest.version
        WHERE t.event_nid IS NOT NULL
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._keys: dict[int, set[int]] = {}

    def record(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Store a batch, and a checkpoint at its end if one is due."""
        super().record(transaction, changes)
        upto: dict[int, int] = {}
        for each in changes:
            self._keys.setdefault(each.room_nid, set()).add(each.key_nid)
            upto[each.room_nid] = each.version
        for room, version in upto.items():
            if version - self._last.get(room, 0) > 3 * len(self._keys[room]):
                self._last[room] = version
                transaction.run(
                    "INSERT INTO state_checkpoints (room_nid, version, key_nid, event_nid)"
                    " SELECT room_nid, :version, key_nid, event_nid FROM current_state"
                    " WHERE room_nid = :room AND event_nid IS NOT NULL",
                    version=version,
                    room=room,
                )

    def state_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """Checkpoint and what changed after it."""
        checkpoint = self._checkpoint(transaction, room, version)
        return transaction.all(self.state, room=room, version=version, checkpoint=checkpoint)

    def names_at(self, transaction: Transaction, room: int, version: int) -> list[Row]:
        """The same with names."""
        checkpoint = self._checkpoint(transaction, room, version)
        text = _NAMES.format(state=self.state) + _JOINS
        return transaction.all(text, room=room, version=version, checkpoint=checkpoint)

    def _checkpoint(self, transaction: Transaction, room: int, version: int) -> int:
        row = transaction.one(
            "SELECT max(version) FROM state_checkpoints WHERE room_nid = :room AND version <= :version",
            room=room,
            version=version,
        )
        return int(row[0] or 0) if row else 0


class Intervals(Rows):
    """A row per value with the versions between which it stood; the current state is what still stands."""

    name = "intervals"
    tables = (
        """
        CREATE TABLE state_trunk (room_nid BIGINT NOT NULL, key_nid BIGINT NOT NULL, version BIGINT NOT NULL,
            until_version BIGINT NOT NULL, event_nid BIGINT, number BIGINT NOT NULL,
            PRIMARY KEY (room_nid, key_nid, version))
        """,
        "CREATE INDEX state_trunk_by_end ON state_trunk (room_nid, until_version, key_nid)",
        _BY_NUMBER,
        _BY_LOG,
    )
    state = """
        SELECT key_nid, event_nid FROM state_trunk
        WHERE room_nid = :room AND until_version > :version AND version <= :version AND event_nid IS NOT NULL
    """
    current_state = f"""
        SELECT key_nid, event_nid FROM state_trunk
        WHERE room_nid = :room AND until_version = {FOREVER} AND event_nid IS NOT NULL
    """

    def record(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """End what stood, then add; a key that changes twice in a batch ends within it."""
        following: dict[tuple[int, int], int] = {}
        rows = []
        for each in reversed(changes):
            end = following.get((each.room_nid, each.key_nid), FOREVER)
            following[each.room_nid, each.key_nid] = each.version
            rows.append((each.room_nid, each.key_nid, each.version, end, each.event_nid, each.number))
        transaction.rows(
            f"""
            WITH next (room_nid, key_nid, version) AS (VALUES :rows)
            UPDATE state_trunk SET until_version = next.version FROM next
            WHERE state_trunk.room_nid = next.room_nid AND state_trunk.key_nid = next.key_nid
                AND state_trunk.until_version = {FOREVER}
            """,
            [(room, key, version) for (room, key), version in following.items()],
        )
        transaction.rows(
            "INSERT INTO state_trunk (room_nid, key_nid, version, until_version, event_nid, number) VALUES :rows", rows
        )


ENCODINGS: Sequence[type[Rows]] = (Rows, RowsByNumber, RolledBack, ClusteredRows, ProbedRows, Checkpoints, Intervals)
