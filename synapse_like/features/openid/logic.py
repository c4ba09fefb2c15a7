"""Tokens with which a user proves to others who they are: good for nothing else, and stored only as their hashes."""

from hashlib import sha256

from synapse_like.features.openid import sql
from synapse_like.matrix.errors import UnknownToken
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.randomness import Randomness

LIFETIME_MS = 60 * 60 * 1000
_TOKEN_LENGTH = 40


class OpenId:
    """Makes and reads the tokens."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness

    async def issue(self, user_id: str) -> str:
        """A new token of a user, good for `LIFETIME_MS`."""
        token = self._randomness.random_string(_TOKEN_LENGTH)
        expires_ms = self._clock.now_ms() + LIFETIME_MS
        await self._database.write(lambda txn: sql.add(txn, _hash(token), user_id, expires_ms))
        return token

    async def owner(self, token: str) -> str:
        """Whose token it is. Raises UnknownToken, also once it has expired."""
        now_ms = self._clock.now_ms()
        user_id = await self._database.read(lambda txn: sql.owner(txn, _hash(token), now_ms))
        if user_id is None:
            raise UnknownToken("Access token unknown or expired")
        return user_id

    async def revoke(self, user_id: str) -> None:
        """Make all tokens of a user worthless (deactivation)."""
        await self._database.write(lambda txn: sql.remove_of(txn, user_id))

    async def remove_expired(self) -> None:
        """Forget tokens that are not good any more."""
        now_ms = self._clock.now_ms()
        await self._database.write(lambda txn: sql.remove_expired(txn, now_ms))


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
