"""Sessions: opening them, refreshing their tokens, and knowing when their user last proved who they are.

Ending a session is ending its device, in ``devices``; recognising a token is in ``authentication``.
"""

from dataclasses import dataclass
from typing import Final

from replication.log import Pair
from replication.owned import owned
from synapse_like.features.sessions import sql
from synapse_like.features.sessions.config import SessionsConfig
from synapse_like.features.sessions.devices import MAX_NAME_LENGTH, Devices
from synapse_like.features.sessions.facts import (
    AccessToken,
    DeviceFact,
    RefreshToken,
    RevocationFact,
    Session,
    SessionWish,
)
from synapse_like.features.sessions.stream import DEVICES, TOKENS
from synapse_like.features.sessions.tokens import ACCESS, REFRESH, TokenMint, hash_of, may_be_token
from synapse_like.matrix.errors import UnknownToken
from synapse_like.rooms.families import USER, UserLog
from synapse_like.rooms.numbers import NumberBlock
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config import Duration
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.texts import checked_text
from synapse_like.toolkit.randomness import Randomness

MAX_DEVICE_ID_LENGTH: Final = 512
_DEVICE_ID_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class SessionTools:
    """What sessions are made with."""

    database: Database
    clock: Clock
    randomness: Randomness
    log: UserLog
    mint: TokenMint
    numbers: NumberBlock


@dataclass(frozen=True, slots=True)
class _Pair:
    """New tokens: as they are shown, and as they are stored."""

    session: Session
    access: AccessToken
    refresh: RefreshToken | None

    def add(self, transaction: Transaction, validated_ms: int) -> None:
        sql.add_access_token(transaction, self.access, validated_ms)
        if self.refresh is not None:
            sql.add_refresh_token(transaction, self.refresh)


class Sessions:
    """The sessions of local users."""

    def __init__(self, tools: SessionTools, config: SessionsConfig, devices: Devices) -> None:
        self._tools = tools
        self._config = config
        self._devices = devices

    @owned(USER, "user_id")
    async def open(self, user_id: str, wish: SessionWish) -> Session:
        """Open a session. Raises InvalidParam for a device id that cannot be one.

        Logging in on a device that exists ends what tokens it has; its name stays.
        """
        device_id = checked_text("A device ID", wish.device_id or "", MAX_DEVICE_ID_LENGTH) or self._new_device_id()
        async with self._devices.locks.hold(user_id):
            known = await self._devices.find(user_id, device_id) if wish.device_id else None
            now_ms = self._tools.clock.now_ms()
            until_ms = _after(now_ms, self._config.session_lifetime)
            pair = await self._make(user_id, device_id, until_ms, may_refresh=wish.wants_refresh)
            name = known.display_name if known else _name(wish.display_name)
            device = DeviceFact(user_id=user_id, device_id=device_id, display_name=name, changed_ms=now_ms)

            def store(transaction: Transaction) -> None:
                if known is not None:
                    sql.end_tokens(transaction, user_id, [device_id])
                pair.add(transaction, now_ms)

            facts: list[Pair] = [(DEVICES, device)]
            if known is not None:
                facts.append((TOKENS, RevocationFact(user_id=user_id)))
            await self._tools.log.append(user_id, facts, extra=store, is_heard_by_all=known is not None)
            if known is not None:
                self._devices.revoked(user_id)
        return pair.session

    async def refresh(self, token: str) -> Session:
        """Give new tokens for a refresh token, which stays good until one of the new ones is used.

        Raises UnknownToken; a session that is over wants a new login. Source: client-server API, "Refreshing access
        tokens".
        """
        found = await self._find_refresh_token(token)
        return await self.refresh_of(found.user_id, token)

    @owned(USER, "user_id")
    async def refresh_of(self, user_id: str, token: str) -> Session:
        """As `refresh`, once it is known whose token it is."""
        async with self._devices.locks.hold(user_id):
            found = await self._find_refresh_token(token)
            pair = await self._make(found.user_id, found.device_id, found.session_until_ms, replaces=found.refresh_id)

            def store(transaction: Transaction) -> None:
                if found.replaces is not None:
                    sql.settle(transaction, found)
                pair.add(transaction, 0)

            facts = [(TOKENS, RevocationFact(user_id=found.user_id))]
            await self._tools.log.append(user_id, facts, extra=store, is_heard_by_all=True)
            self._devices.revoked(user_id)
        return pair.session

    @owned(USER, "token.user_id")
    async def settle(self, token: AccessToken) -> None:
        """A refreshed access token was used for the first time: what it replaces ends."""
        async with self._devices.locks.hold(token.user_id):
            facts = [(TOKENS, RevocationFact(user_id=token.user_id))]
            log = self._tools.log
            await log.append(token.user_id, facts, extra=lambda txn: sql.settle(txn, token), is_heard_by_all=True)
            self._devices.revoked(token.user_id)

    async def validated_ms(self, token_id: int) -> int:
        """When the session's user last proved who they are; 0 if never."""
        return await self._tools.database.read(lambda txn: sql.validated_ms(txn, token_id)) or 0

    async def mark_validated(self, token_id: int) -> None:
        """The session's user has just proved who they are."""
        now_ms = self._tools.clock.now_ms()
        await self._tools.database.write(lambda txn: sql.set_validated(txn, token_id, now_ms))

    async def _find_refresh_token(self, token: str) -> RefreshToken:
        found = None
        if may_be_token(token):
            hashed = hash_of(token)
            found = await self._tools.database.read(lambda txn: sql.refresh_token(txn, hashed))
        if found is None:
            raise UnknownToken("The refresh token is not known")
        now_ms = self._tools.clock.now_ms()
        if _is_over(found.valid_until_ms, now_ms) or _is_over(found.session_until_ms, now_ms):
            raise UnknownToken("The refresh token has expired", soft_logout=True)
        return found

    async def _make(
        self,
        user_id: str,
        device_id: str,
        session_until_ms: int | None,
        *,
        may_refresh: bool = True,
        replaces: int | None = None,
    ) -> _Pair:
        """Make tokens without storing them."""
        config, now_ms = self._config, self._tools.clock.now_ms()
        refresh_token = None
        refresh: RefreshToken | None = None
        lifetime = config.nonrefreshable_access_token_lifetime
        if may_refresh and config.refreshable is not None:
            lifetime = config.refreshable
            refresh_token = self._tools.mint.make(REFRESH, user_id)
            refresh = RefreshToken(
                token_hash=hash_of(refresh_token),
                refresh_id=await self._tools.numbers.take(),
                user_id=user_id,
                device_id=device_id,
                created_ms=now_ms,
                valid_until_ms=_after(now_ms, config.refresh_token_lifetime),
                session_until_ms=session_until_ms,
                replaces=replaces,
            )
        until_ms = _earlier(_after(now_ms, lifetime), session_until_ms)
        access_token = self._tools.mint.make(ACCESS, user_id)
        access = AccessToken(
            token_hash=hash_of(access_token),
            token_id=await self._tools.numbers.take(),
            user_id=user_id,
            device_id=device_id,
            created_ms=now_ms,
            valid_until_ms=until_ms,
            refresh_id=refresh.refresh_id if refresh else None,
            replaces=replaces,
        )
        expires_in_ms = None if until_ms is None else until_ms - now_ms
        return _Pair(Session(user_id, device_id, access_token, refresh_token, expires_in_ms), access, refresh)

    def _new_device_id(self) -> str:
        return self._tools.randomness.random_string(10, _DEVICE_ID_LETTERS)


def _name(display_name: str | None) -> str | None:
    return None if display_name is None else display_name.replace("\0", "")[:MAX_NAME_LENGTH]


def _after(now_ms: int, lifetime: Duration | None) -> int | None:
    return None if lifetime is None else now_ms + lifetime.ms


def _earlier(one_ms: int | None, other_ms: int | None) -> int | None:
    times = [time_ms for time_ms in (one_ms, other_ms) if time_ms is not None]
    return min(times) if times else None


def _is_over(until_ms: int | None, now_ms: int) -> bool:
    return until_ms is not None and until_ms <= now_ms
