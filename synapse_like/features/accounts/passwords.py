"""Passwords of accounts: the policy, and checking and changing them. The hash itself is the toolkit's."""

import os
import unicodedata
from collections.abc import Callable
from typing import Final, TypeVar

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThread

from synapse_like.features.accounts import sql
from synapse_like.features.accounts.config import AccountsConfig, PasswordPolicy
from synapse_like.matrix.errors import WeakPassword
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http.texts import checked_text
from synapse_like.toolkit.passwords import hash_password, is_password

MAX_LENGTH: Final = 512
T = TypeVar("T")


class Passwords:
    """The passwords of this server's own database. Hashing runs in threads, a few at a time."""

    def __init__(self, database: Database, config: AccountsConfig) -> None:
        self.config = config.password_config
        self._database = database
        self._rounds = config.bcrypt_rounds
        self._pepper = self.config.pepper.value if self.config.pepper else ""
        self._turns = DeferredSemaphore(max(2, os.cpu_count() or 1))

    def check_new(self, password: str) -> None:
        """Raise WeakPassword or InvalidParam if this cannot be a new password."""
        checked_text("A password", password, MAX_LENGTH)
        if not password:
            raise WeakPassword("A password cannot be empty")
        policy = self.config.policy
        if policy.enabled and (lack := _lack(password, policy)):
            raise WeakPassword(f"The password must {lack}")

    async def hash(self, password: str) -> str:
        """The hash to store for a new password."""
        return await self._in_thread(lambda: hash_password(password, self._pepper, self._rounds))

    async def is_right(self, user_id: str, password: str) -> bool:
        """Whether this is the user's password. Takes as long for users who do not exist."""
        stored = await self._database.read(lambda txn: sql.password_hash(txn, user_id))
        if stored is None:
            await self.hash(password[:MAX_LENGTH].replace("\0", ""))
            return False
        return await self._in_thread(lambda: is_password(password, stored, self._pepper))

    async def has_one(self, user_id: str) -> bool:
        """Whether the user has a password here."""
        return await self._database.read(lambda txn: sql.password_hash(txn, user_id)) is not None

    async def change(self, user_id: str, password: str) -> None:
        """Store a new password, which was checked."""
        hashed = await self.hash(password)
        await self._database.write(lambda txn: sql.set_password(txn, user_id, hashed))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        await self._turns.acquire()
        try:
            return await deferToThread(work)
        finally:
            self._turns.release()


def _lack(password: str, policy: PasswordPolicy) -> str:
    """Return what a password must have and has not, or nothing."""
    password = unicodedata.normalize("NFKC", password)
    if len(password) < policy.minimum_length:
        return f"have at least {policy.minimum_length} characters"
    if policy.require_digit and not any(map(str.isdigit, password)):
        return "contain a digit"
    if policy.require_symbol and all(map(str.isalnum, password)):
        return "contain a symbol"
    if policy.require_lowercase and not any(map(str.islower, password)):
        return "contain a lower-case letter"
    if policy.require_uppercase and not any(map(str.isupper, password)):
        return "contain an upper-case letter"
    return ""
