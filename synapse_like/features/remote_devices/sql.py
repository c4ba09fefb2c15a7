"""The SQL of devices of other servers' users."""

from collections.abc import Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_LISTS = """
    SELECT user_id, stream_id, is_stale, master_key, self_signing_key FROM remote_device_lists
    WHERE user_id IN :user_ids
"""
_DEVICES = "SELECT user_id, device_id, keys FROM remote_devices WHERE user_id IN :user_ids"
_SHARERS = "SELECT DISTINCT user_id FROM members WHERE user_id IN :user_ids AND membership = 'join'"
_SET_LIST = """
    INSERT INTO remote_device_lists (user_id, stream_id, is_stale, master_key, self_signing_key)
    VALUES (:user_id, :stream_id, 0, :master_key, :self_signing_key)
    ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id, is_stale = 0,
        master_key = excluded.master_key, self_signing_key = excluded.self_signing_key
"""
_MOVE = "UPDATE remote_device_lists SET stream_id = :stream_id WHERE user_id = :user_id"
_MARK_STALE = """
    UPDATE remote_device_lists SET is_stale = 1,
        stream_id = CASE WHEN stream_id < :stream_id THEN :stream_id ELSE stream_id END
    WHERE user_id = :user_id
"""
_SET_CROSS_SIGNING = """
    UPDATE remote_device_lists SET master_key = coalesce(:master_key, master_key),
        self_signing_key = coalesce(:self_signing_key, self_signing_key)
    WHERE user_id = :user_id
"""
_ADD_DEVICES = """
    INSERT INTO remote_devices (user_id, device_id, keys) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE SET keys = excluded.keys
"""
_REMOVE_DEVICES = "DELETE FROM remote_devices WHERE user_id = :user_id"
_REMOVE_DEVICE = "DELETE FROM remote_devices WHERE user_id = :user_id AND device_id = :device_id"
_STRANGERS = """
    SELECT l.user_id FROM remote_device_lists l WHERE l.user_id IN :user_ids AND NOT EXISTS
        (SELECT 1 FROM members m WHERE m.user_id = l.user_id AND m.membership = 'join')
"""
_FORGET = "DELETE FROM remote_device_lists WHERE user_id IN :user_ids"
_FORGET_DEVICES = "DELETE FROM remote_devices WHERE user_id IN :user_ids"


def lists(transaction: Transaction, user_ids: Sequence[str]) -> list[Row]:
    """(user id, stream id, whether it is stale, master key, self-signing key) of those that are known."""
    return transaction.all(_LISTS, user_ids=list(user_ids))


def devices(transaction: Transaction, user_ids: Sequence[str]) -> list[Row]:
    """(user id, device id, keys as JSON)."""
    return transaction.all(_DEVICES, user_ids=list(user_ids)) if user_ids else []


def sharers(transaction: Transaction, user_ids: Sequence[str]) -> set[str]:
    """Those of the users who are in a room that this server knows."""
    return {user_id for (user_id,) in transaction.all(_SHARERS, user_ids=list(user_ids))}


def replace(
    transaction: Transaction,
    user_id: str,
    stream_id: int,
    cross_signing: tuple[str | None, str | None],
    keys: Sequence[tuple[str, str]],
) -> None:
    """Store a whole list: master and self-signing key, and (device, keys as JSON)."""
    master, self_signing = cross_signing
    transaction.run(_SET_LIST, user_id=user_id, stream_id=stream_id, master_key=master, self_signing_key=self_signing)
    transaction.run(_REMOVE_DEVICES, user_id=user_id)
    transaction.rows(_ADD_DEVICES, [(user_id, *row) for row in keys])


def set_device(transaction: Transaction, user_id: str, device_id: str, stream_id: int, keys: str | None) -> None:
    """Store one device (None: it is gone)."""
    transaction.run(_MOVE, user_id=user_id, stream_id=stream_id)
    if keys is None:
        transaction.run(_REMOVE_DEVICE, user_id=user_id, device_id=device_id)
    else:
        transaction.rows(_ADD_DEVICES, [(user_id, device_id, keys)])


def set_cross_signing(
    transaction: Transaction, user_id: str, master_key: str | None, self_signing_key: str | None
) -> None:
    """Store cross-signing keys, as far as they are given, of a list that is known."""
    values: dict[str, Any] = {"master_key": master_key, "self_signing_key": self_signing_key}
    transaction.run(_SET_CROSS_SIGNING, user_id=user_id, **values)


def mark_stale(transaction: Transaction, user_id: str, stream_id: int) -> None:
    """An update before this one was missed: what is stored is of old."""
    transaction.run(_MARK_STALE, user_id=user_id, stream_id=stream_id)


def forget_strangers(transaction: Transaction, user_ids: Sequence[str]) -> None:
    """Forget those of the users who share no room with this server any more: nobody tells of their changes."""
    strangers = [user_id for (user_id,) in transaction.all(_STRANGERS, user_ids=list(user_ids))]
    if strangers:
        transaction.run(_FORGET, user_ids=strangers)
        transaction.run(_FORGET_DEVICES, user_ids=strangers)
