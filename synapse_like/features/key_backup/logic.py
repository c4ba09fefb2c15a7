"""Backups of the keys of rooms: versions, and which key stays where there are two of a session.

No reader of a stream hears of these: they are short transactions of their own, and a backup's row is locked by whoever
changes its keys.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from synapse_like.features.key_backup import sql
from synapse_like.features.key_backup.errors import NoSuchBackup
from synapse_like.features.key_backup.keys import BackedUpKey
from synapse_like.features.key_backup.sql import Backup, Place
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, LimitExceeded, TooLarge, WrongRoomKeysVersion
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.errors import IntegrityViolated

MAX_AUTH_DATA_BYTES: Final = 65_536
_ATTEMPTS: Final = 20


class KeyBackups:
    """The backups of local users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user_id: str, algorithm: str, auth_data: Mapping[str, Any]) -> int:
        """Begin a new backup, which replaces the others; its version. Raises TooLarge."""
        text = _text(auth_data)
        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write(lambda txn: sql.create(txn, user_id, algorithm, text))
            except IntegrityViolated:
                continue  # another device took the number
        raise LimitExceeded("Too many backups are begun at once")

    async def get(self, user_id: str, version: str | None = None) -> Backup:
        """A backup, or the newest. Raises NoSuchBackup."""
        if version is None:
            found = await self._database.read(lambda txn: sql.current(txn, user_id))
        else:
            number = _number(version)
            found = await self._database.read(lambda txn: sql.backup(txn, user_id, number))
        if found is None or found.is_deleted:
            raise NoSuchBackup()
        return found

    async def change(self, user_id: str, version: str, algorithm: str, auth_data: Mapping[str, Any]) -> None:
        """Replace what a backup says about itself. Raises NoSuchBackup, InvalidParam, TooLarge."""
        number, text = _number(version), _text(auth_data)

        def change(transaction: Transaction) -> None:
            found = _locked(transaction, user_id, number)
            if found.algorithm != algorithm:
                raise InvalidParam("The algorithm of a backup cannot be changed")
            sql.set_auth_data(transaction, user_id, number, text)

        await self._database.write(change)

    async def delete(self, user_id: str, version: str) -> None:
        """Delete a backup with its keys; one that was deleted stays so. Raises NoSuchBackup."""
        number = _number(version)

        def delete(transaction: Transaction) -> None:
            if sql.backup(transaction, user_id, number) is None:
                raise NoSuchBackup()
            sql.delete(transaction, user_id, number)

        await self._database.write(delete)

    async def put(self, user_id: str, version: str, keys: Sequence[BackedUpKey]) -> Backup:
        """Store keys; the backup then. Raises NoSuchBackup, WrongRoomKeysVersion unless it is the newest."""
        number = _number(version)

        def put(transaction: Transaction) -> Backup:
            current = sql.current(transaction, user_id)
            if current is None:
                raise NoSuchBackup()
            if current.version != number:
                raise WrongRoomKeysVersion(current_version=str(current.version))
            _locked(transaction, user_id, number)
            sql.put(transaction, user_id, number, keys)
            return _there(sql.backup(transaction, user_id, number))

        return await self._database.write(put)

    async def keys(self, user_id: str, version: str, place: Place) -> list[BackedUpKey]:
        """The keys at a place. Raises NoSuchBackup."""
        number = _number(version)

        def read(transaction: Transaction) -> list[BackedUpKey]:
            _there(sql.backup(transaction, user_id, number))
            return sql.keys(transaction, user_id, number, place)

        return await self._database.read(read)

    async def remove(self, user_id: str, version: str, place: Place) -> Backup:
        """Delete the keys at a place; the backup then. Raises NoSuchBackup."""
        number = _number(version)

        def remove(transaction: Transaction) -> Backup:
            _locked(transaction, user_id, number)
            sql.remove(transaction, user_id, number, place)
            return _there(sql.backup(transaction, user_id, number))

        return await self._database.write(remove)

    async def forget(self, user_id: str) -> None:
        """Delete all backups of a user whose account was closed."""
        await self._database.write(lambda txn: sql.forget(txn, user_id))


def _locked(transaction: Transaction, user_id: str, number: int) -> Backup:
    if not sql.lock(transaction, user_id, number):
        raise NoSuchBackup()
    return _there(sql.backup(transaction, user_id, number))


def _there(found: Backup | None) -> Backup:
    if found is None or found.is_deleted:
        raise NoSuchBackup()
    return found


def _number(version: str) -> int:
    """The number in the name of a version. Raises NoSuchBackup for what can be none."""
    if len(version) > 15 or not version.isascii() or not version.isdigit():
        raise NoSuchBackup()
    return int(version)


def _text(auth_data: Mapping[str, Any]) -> str:
    text = canonical_json(auth_data)
    if len(text) > MAX_AUTH_DATA_BYTES:
        raise TooLarge("auth_data is too large")
    return text.decode()
