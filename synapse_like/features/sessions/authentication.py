"""Recognising access tokens: from memory while nothing has happened to them, else with one look at the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.features.accounts import Accounts
from synapse_like.features.sessions import sql
from synapse_like.features.sessions.devices import Devices
from synapse_like.features.sessions.facts import AccessToken, FoundToken, RevocationFact
from synapse_like.features.sessions.logic import Sessions, SessionTools
from synapse_like.features.sessions.sightings import Sightings
from synapse_like.features.sessions.tokens import hash_of, may_be_token
from synapse_like.matrix.errors import UnknownToken
from synapse_like.toolkit.cache import LoadingCache
from synapse_like.toolkit.gathered import Gathered
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester

_KNOWN_TOKENS: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that is good until somebody says otherwise, or until its time is over."""

    requester: Requester
    valid_until_ms: int | None


class TokenAuthenticator:
    """Knows access tokens. Implements `toolkit.http.Authenticator`."""

    def __init__(
        self, tools: SessionTools, accounts: Accounts, sessions: Sessions, devices: Devices, sightings: Sightings
    ) -> None:
        self._tools = tools
        self._sessions = sessions
        self._sightings = sightings
        self._stored: Gathered[str, FoundToken] = Gathered(
            lambda hashes: tools.database.read(lambda txn: sql.access_tokens(txn, hashes))
        )
        self.cache: LoadingCache[str, _Known] = LoadingCache(self._load, _KNOWN_TOKENS, _user_of)
        accounts.on_changed.append(self.cache.forget_group)
        devices.on_revoked.append(self.cache.forget_group)

    async def authenticate(self, token: str, request: Request[Any]) -> Requester:
        """Whose token this is. Raises UnknownToken, with `soft_logout` if only its time is over."""
        known = await self.cache.get(hash_of(token)) if may_be_token(token) else None
        if known is None:
            raise UnknownToken()
        if known.valid_until_ms is not None and known.valid_until_ms <= self._tools.clock.now_ms():
            raise UnknownToken("The access token has expired", soft_logout=True)
        requester = known.requester
        if requester.device_id is not None:
            self._sightings.note(requester.user_id, requester.device_id, request)
        return requester

    def take(self, facts: Sequence[RevocationFact]) -> None:
        """Forget the tokens of users that had some revoked."""
        for fact in facts:
            self.cache.forget_group(fact.user_id)

    async def _load(self, token_hash: str) -> _Known | None:
        found = await self._stored.get(token_hash)
        if found is None or found.is_deactivated:
            return None
        token = found.token
        if token.replaces is not None and not self._is_over(token):
            await self._sessions.settle(token)
        if found.shard is not None:
            self._tools.log.remember(token.user_id, found.shard)
        requester = Requester(
            user_id=token.user_id,
            device_id=token.device_id,
            is_guest=found.is_guest,
            is_admin=found.is_admin,
            token_id=token.token_id,
            shard=await self._tools.log.shard_of(token.user_id),
            is_locked=found.is_locked,
            is_suspended=found.is_suspended,
        )
        return _Known(requester, token.valid_until_ms)

    def _is_over(self, token: AccessToken) -> bool:
        return token.valid_until_ms is not None and token.valid_until_ms <= self._tools.clock.now_ms()


def _user_of(known: _Known) -> str:
    return known.requester.user_id
