"""The SQL of backups of keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from replication.ports import Transaction
from synapse_like.features.key_backup.keys import BackedUpKey

_COLUMNS = "version, algorithm, auth_data, etag, count, is_deleted"

_CREATE = """
    INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, count, is_deleted)
    VALUES (:user_id, :version, :algorithm, :auth_data, 0, 0, 0)
"""
_NEWEST_NUMBER = "SELECT coalesce(max(version), 0) FROM key_backups WHERE user_id = :user_id"
_CURRENT = f"""
    SELECT {_COLUMNS} FROM key_backups WHERE user_id = :user_id AND is_deleted = 0 ORDER BY version DESC LIMIT 1
"""
_BACKUP = f"SELECT {_COLUMNS} FROM key_backups WHERE user_id = :user_id AND version = :version"
_LOCK = "UPDATE key_backups SET etag = etag WHERE user_id = :user_id AND version = :version AND is_deleted = 0"
_CHANGE = """
    UPDATE key_backups SET etag = etag + 1, count = count + :more WHERE user_id = :user_id AND version = :version
"""
_SET_AUTH_DATA = """
    UPDATE key_backups SET auth_data = :auth_data WHERE user_id = :user_id AND version = :version
"""
_DELETE = "UPDATE key_backups SET is_deleted = 1, count = 0 WHERE user_id = :user_id AND version = :version"

_KNOWN = """
    WITH sent (user_id, version, room_id, session_id) AS (VALUES :rows)
    SELECT count(*) FROM sent JOIN backed_up_keys k ON k.user_id = sent.user_id AND k.version = sent.version
        AND k.room_id = sent.room_id AND k.session_id = sent.session_id
"""
_PUT = """
    INSERT INTO backed_up_keys (user_id, version, room_id, session_id, first_message_index, forwarded_count,
        is_verified, session_data) VALUES :rows
    ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET
        first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
        is_verified = excluded.is_verified, session_data = excluded.session_data
    WHERE excluded.is_verified > backed_up_keys.is_verified OR (excluded.is_verified = backed_up_keys.is_verified AND (
        excluded.first_message_index < backed_up_keys.first_message_index OR (
            excluded.first_message_index = backed_up_keys.first_message_index
            AND excluded.forwarded_count < backed_up_keys.forwarded_count)))
"""
_GET = """
    SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backed_up_keys
    WHERE user_id = :user_id AND version = :version {more} ORDER BY room_id, session_id
"""
_REMOVE = "DELETE FROM backed_up_keys WHERE user_id = :user_id AND version = :version {more}"
_FORGET_KEYS = "DELETE FROM backed_up_keys WHERE user_id = :user_id"
_FORGET_BACKUPS = "DELETE FROM key_backups WHERE user_id = :user_id"
_PLACES = (
    "",
    "AND room_id = :room_id",
    "AND room_id = :room_id AND session_id = :session_id",
)
_GETS = [_GET.replace("{more}", more) for more in _PLACES]
_REMOVES = [_REMOVE.replace("{more}", more) for more in _PLACES]

Place = tuple[str, ...]
"""() for all keys, (room,) for those of a room, (room, session) for one."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A row."""

    version: int
    algorithm: str
    auth_data: str
    etag: int
    count: int
    is_deleted: int


def create(transaction: Transaction, user_id: str, algorithm: str, auth_data: str) -> int:
    """Make a backup; its version."""
    row = transaction.one(_NEWEST_NUMBER, user_id=user_id)
    version = int(row[0]) + 1 if row else 1
    transaction.run(_CREATE, user_id=user_id, version=version, algorithm=algorithm, auth_data=auth_data)
    return version


def current(transaction: Transaction, user_id: str) -> Backup | None:
    """The newest backup that was not deleted."""
    row = transaction.one(_CURRENT, user_id=user_id)
    return None if row is None else Backup(*row)


def backup(transaction: Transaction, user_id: str, version: int) -> Backup | None:
    """A backup, also one that was deleted."""
    row = transaction.one(_BACKUP, user_id=user_id, version=version)
    return None if row is None else Backup(*row)


def lock(transaction: Transaction, user_id: str, version: int) -> bool:
    """Keep others from changing a backup until the end of the transaction; False if there is none."""
    return transaction.run(_LOCK, user_id=user_id, version=version) == 1


def put(transaction: Transaction, user_id: str, version: int, keys: Sequence[BackedUpKey]) -> None:
    """Store keys that are new, or better than those that are there."""
    known = transaction.query_rows(_KNOWN, [(user_id, version, key.room_id, key.session_id) for key in keys])
    added = len(keys) - sum(int(row[0]) for row in known)
    rows = [
        (
            user_id,
            version,
            key.room_id,
            key.session_id,
            key.first_message_index,
            key.forwarded_count,
            key.is_verified,
            key.session_data,
        )
        for key in keys
    ]
    if transaction.rows(_PUT, rows):
        transaction.run(_CHANGE, user_id=user_id, version=version, more=added)


def keys(transaction: Transaction, user_id: str, version: int, place: Place) -> list[BackedUpKey]:
    """The keys at a place."""
    names = dict(zip(("room_id", "session_id"), place, strict=False))
    rows = transaction.all(_GETS[len(place)], user_id=user_id, version=version, **names)
    return [BackedUpKey(*row) for row in rows]


def remove(transaction: Transaction, user_id: str, version: int, place: Place) -> None:
    """Delete the keys at a place."""
    names = dict(zip(("room_id", "session_id"), place, strict=False))
    gone = transaction.run(_REMOVES[len(place)], user_id=user_id, version=version, **names)
    if gone:
        transaction.run(_CHANGE, user_id=user_id, version=version, more=-gone)


def set_auth_data(transaction: Transaction, user_id: str, version: int, auth_data: str) -> None:
    """Replace what a backup says about itself."""
    transaction.run(_SET_AUTH_DATA, user_id=user_id, version=version, auth_data=auth_data)


def delete(transaction: Transaction, user_id: str, version: int) -> None:
    """Delete a backup with its keys; its number is not used again."""
    transaction.run(_DELETE, user_id=user_id, version=version)
    transaction.run(_REMOVES[0], user_id=user_id, version=version)


def forget(transaction: Transaction, user_id: str) -> None:
    """Delete all backups of a user."""
    transaction.run(_FORGET_KEYS, user_id=user_id)
    transaction.run(_FORGET_BACKUPS, user_id=user_id)
