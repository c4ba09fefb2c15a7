"""Registration tokens: making them, and using them up one registration at a time."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from synapse_like.features.registration_tokens import sql
from synapse_like.features.registration_tokens.sql import TokenRow
from synapse_like.features.uia import SESSION_MS, Attempt, Field
from synapse_like.matrix.errors import InvalidParam, MissingParam, NotFound, Unauthorized
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.randomness import Randomness

REGISTRATION_TOKEN: Final = "m.login.registration_token"
MAX_LENGTH: Final = 64
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"


class RegistrationTokens:
    """The tokens with which people may register."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness

    async def all(self, *, is_valid: bool | None = None) -> list[TokenRow]:
        """Every token, or only those that are (or are not) good now."""
        now_ms = self._clock.now_ms()
        rows = await self._database.read(sql.all_tokens)
        return [row for row in rows if is_valid is None or row.is_valid(now_ms) == is_valid]

    async def get(self, token: str) -> TokenRow:
        """One token. Raises NotFound."""
        found = await self._database.read(lambda txn: sql.get(txn, token)) if _TOKEN.fullmatch(token) else None
        if found is None:
            raise NotFound("There is no such registration token")
        return found

    async def add(self, token: str, uses_allowed: int | None, expiry_ms: int | None) -> TokenRow:
        """Make a token. Raises InvalidParam if the text cannot be one, or is one."""
        if not _TOKEN.fullmatch(token):
            raise InvalidParam("A token has 1 to 64 of the characters A-Z, a-z, 0-9 and . _ ~ -")
        if not await self._database.write(lambda txn: sql.add(txn, token, uses_allowed, expiry_ms)):
            raise InvalidParam("There is such a token")
        return await self.get(token)

    def random(self, length: int) -> str:
        """A text for a new token."""
        return self._randomness.random_string(length, _LETTERS)

    async def change(self, token: str, uses_allowed: int | None, expiry_ms: int | None) -> TokenRow:
        """Change how often and until when (ms) a token is good. Raises NotFound."""
        await self.get(token)
        await self._database.write(lambda txn: sql.change(txn, token, uses_allowed, expiry_ms))
        return await self.get(token)

    async def delete(self, token: str) -> None:
        """Delete a token. Raises NotFound."""
        await self.get(token)
        await self._database.write(lambda txn: sql.delete(txn, token))

    async def is_valid(self, token: str) -> bool:
        """Whether somebody could register with it now."""
        if not _TOKEN.fullmatch(token):
            return False
        now_ms = self._clock.now_ms()
        return await self._database.read(lambda txn: sql.is_valid(txn, token, now_ms))

    async def claim(self, token: str, session_id: str) -> bool:
        """Take one use of a token for a registration; False if the token is not good."""
        if not _TOKEN.fullmatch(token):
            return False
        now_ms = self._clock.now_ms()
        return await self._database.write(lambda txn: sql.claim(txn, token, session_id, now_ms))

    async def finish(self, session_id: str) -> None:
        """The registration has become an account."""
        await self._database.write(lambda txn: sql.finish(txn, session_id))

    async def give_back_stale(self) -> None:
        """Give back what registrations took that were never finished."""
        before_ms = self._clock.now_ms() - SESSION_MS
        await self._database.write(lambda txn: sql.give_back_stale(txn, before_ms))


class RegistrationTokenStage:
    """The stage of showing a registration token."""

    name = REGISTRATION_TOKEN
    fields: Sequence[Field] = (Field("token", "Your registration token"),)

    def __init__(self, tokens: RegistrationTokens) -> None:
        self._tokens = tokens

    async def check(self, auth: Mapping[str, Any], attempt: Attempt) -> str:
        """Take one use of the token. Raises MissingParam or Unauthorized."""
        token = auth.get("token")
        if not isinstance(token, str):
            raise MissingParam("A registration token is needed")
        if not await self._tokens.claim(token, attempt.session_id):
            raise Unauthorized("This registration token is not valid")
        return token
