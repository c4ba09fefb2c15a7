"""Accounts: who exists here, and what they are. Sessions and passwords are elsewhere."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec

from replication.owned import owned
from replication.shards import NotOwned
from synapse_like.features.accounts import sql
from synapse_like.features.accounts.facts import AccountFact, Applicant
from synapse_like.features.accounts.stream import ACCOUNTS
from synapse_like.matrix.errors import NotFound, UserInUse
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.cache import LoadingCache
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.locks import KeyedLocks

_KNOWN_ACCOUNTS: Final = 50_000
_KNOWN_NAMES: Final = 200_000

Registered = Callable[[Applicant], Awaitable[object]]
Departure = Callable[[str, bool], Awaitable[object]]


class Accounts:
    """The accounts of this server.

    Hooks, to be filled while the server is built:

    * `on_registered`   awaited with the new account before its first session opens
    * `on_deactivated`  awaited, one after the other, with (user id, whether to erase) after an account was closed;
      all of them again after a failure or a restart, until every one has succeeded
    * `on_changed`      called with a user id when what is known of the account has changed
    * `claims`          tell whether a user id is reserved for somebody else (an application service)
    """

    def __init__(self, database: Database, rooms: Rooms, clock: Clock) -> None:
        self._database = database
        self._log = rooms.user_log
        self._clock = clock
        self._locks = KeyedLocks()
        self._existing: dict[str, None] = {}
        self.cache: LoadingCache[str, AccountFact] = LoadingCache(self._load, _KNOWN_ACCOUNTS)
        self.on_registered: list[Registered] = []
        self.on_deactivated: list[Departure] = []
        self.on_changed: list[Callable[[str], object]] = []
        self.claims: list[Callable[[str], bool]] = []
        rooms.reader.subscribe(ACCOUNTS, self._take)

    async def get(self, user_id: str) -> AccountFact | None:
        """What is known of an account; None if there is none."""
        return await self.cache.get(user_id)

    async def exists(self, user_id: str) -> bool:
        """Whether an account of that id was ever made; closed ones count."""
        return await self.get(user_id) is not None

    async def existing(self, user_ids: Iterable[str]) -> set[str]:
        """Those of the users who have an account, closed ones included; at most one query."""
        asked = set(user_ids)
        found = asked & self._existing.keys()
        missing = sorted(asked - found)
        if missing:
            stored = await self._database.read(lambda txn: sql.existing(txn, missing))
            self._know(stored)
            found.update(stored)
        return found

    async def is_deactivated(self, user_id: str) -> bool:
        """Whether the account was closed."""
        account = await self.get(user_id)
        return account is not None and account.is_deactivated

    def is_claimed(self, user_id: str) -> bool:
        """Whether the id is reserved for somebody else."""
        return any(claims(user_id) for claims in self.claims)

    @owned(USER, "applicant.user_id")
    async def register(self, applicant: Applicant) -> None:
        """Make an account. Raises UserInUse."""
        now_ms = self._clock.now_ms()
        if not await self._database.write(lambda txn: sql.reserve(txn, applicant, now_ms)):
            raise UserInUse()
        fact = AccountFact(user_id=applicant.user_id, is_guest=applicant.is_guest, is_admin=applicant.is_admin)
        try:
            await self._log.append(applicant.user_id, [(ACCOUNTS, fact)])
        except NotOwned:
            await self._database.write(lambda txn: sql.unreserve(txn, applicant.user_id))
            raise
        for hear in self.on_registered:
            await hear(applicant)

    @owned(USER, "user_id")
    async def set_admin(self, user_id: str, is_admin: bool) -> None:
        """Make somebody an administrator of the server, or no longer. Raises NotFound."""
        await self._change(user_id, is_admin=is_admin)

    @owned(USER, "user_id")
    async def set_locked(self, user_id: str, is_locked: bool) -> None:
        """Lock or unlock an account. Raises NotFound."""
        await self._change(user_id, is_locked=is_locked)

    @owned(USER, "user_id")
    async def set_suspended(self, user_id: str, is_suspended: bool) -> None:
        """Suspend an account, or let it act again. Raises NotFound."""
        await self._change(user_id, is_suspended=is_suspended)

    @owned(USER, "user_id")
    async def close(self, user_id: str, *, is_erased: bool) -> None:
        """Close an account for ever; nobody can act as its user from now on. Raises NotFound."""
        changes = {"is_deactivated": True, "is_erased": is_erased}
        await self._change(user_id, lambda txn: sql.close(txn, user_id), **changes)

    async def departing(self) -> list[tuple[str, bool]]:
        """(user, whether erased) of the closed accounts whose users have not left everywhere."""
        return await self._database.read(sql.departing)

    async def depart(self, user_id: str, is_erased: bool) -> None:
        """Let the user of a closed account leave everywhere."""
        for leave in self.on_deactivated:
            await leave(user_id, is_erased)
        await self._database.write(lambda txn: sql.departed(txn, user_id))

    async def _change(self, user_id: str, extra: Callable[[Transaction], None] | None = None, **changes: bool) -> None:
        async with self._locks.hold(user_id):
            account = await self._database.read(lambda txn: sql.get(txn, user_id))
            if account is None:
                raise NotFound("There is no such user")
            fact = msgspec.structs.replace(account, number=0, **changes)
            await self._log.append(user_id, [(ACCOUNTS, fact)], extra=extra, is_heard_by_all=True)
            self._forget(user_id)

    async def _load(self, user_id: str) -> AccountFact | None:
        return await self._database.read(lambda txn: sql.get(txn, user_id))

    def _take(self, facts: Sequence[AccountFact]) -> None:
        self._know(fact.user_id for fact in facts)
        for fact in facts:
            self._forget(fact.user_id)

    def _know(self, user_ids: Iterable[str]) -> None:
        if len(self._existing) > _KNOWN_NAMES:
            self._existing.clear()
        self._existing.update(dict.fromkeys(user_ids))

    def _forget(self, user_id: str) -> None:
        self.cache.forget(user_id)
        for hear in self.on_changed:
            hear(user_id)
