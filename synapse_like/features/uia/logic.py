"""User-interactive authentication: which proofs an operation needs, which have been given, and what is still to come.

Sessions are rows, so that any process can continue them. A session that needs only one request is never stored.
Source: client-server API, "User-Interactive Authentication API".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from synapse_like.features.accounts import Passwords
from synapse_like.features.sessions import Sessions
from synapse_like.features.uia import sql
from synapse_like.features.uia.config import UiaConfig
from synapse_like.features.uia.errors import AuthenticationNeeded, UnknownSession
from synapse_like.features.uia.stages import PASSWORD, Attempt, AuthStage
from synapse_like.matrix.errors import BadJson, Forbidden, InvalidParam, MatrixError
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester
from synapse_like.toolkit.http.texts import is_storable
from synapse_like.toolkit.randomness import Randomness

SESSION_MS: Final = 24 * 60 * 60 * 1000
_ID_LENGTH: Final = 24
_MAX_ID_LENGTH: Final = 128

Flows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class UiaTools:
    """What sessions of authentication are made with."""

    database: Database
    clock: Clock
    randomness: Randomness


class Uia:
    """Asks for proof. `confirm_user` is for what a logged-in user does, `confirm` for everything else."""

    def __init__(self, tools: UiaTools, sessions: Sessions, passwords: Passwords, config: UiaConfig) -> None:
        self._database = tools.database
        self._clock = tools.clock
        self._randomness = tools.randomness
        self._sessions = sessions
        self._passwords = passwords
        self._config = config
        self._stages: dict[str, AuthStage] = {}

    def add_stage(self, stage: AuthStage) -> None:
        """Make a kind of proof known."""
        self._stages[stage.name] = stage

    def stage(self, name: str) -> AuthStage | None:
        """A kind of proof by its name."""
        return self._stages.get(name)

    async def confirm(self, auth: object, flows: Flows, operation: str, *, user_id: str | None = None) -> Attempt:
        """Return when `auth` (the key of the request's body, or None) completes one of the flows.

        Raises AuthenticationNeeded if it does not, UnknownSession, InvalidParam or BadJson if it is wrong in itself.
        `operation` names what is done and to what: proof that was given for something else does not count.
        """
        if auth is not None and not isinstance(auth, dict):
            raise BadJson("auth must be an object")
        attempt = await self._attempt(auth or {}, flows, operation, user_id)
        failure = await self.submit(attempt, auth) if auth and auth.get("type") is not None else None
        if attempt.is_complete:
            return attempt
        await self._store(attempt)
        params: dict[str, Any] = {name: {} for name in sorted(attempt.stages)}
        raise AuthenticationNeeded(attempt.session_id, attempt.flows, params, sorted(attempt.completed), failure)

    async def confirm_user(
        self, requester: Requester, auth: object, operation: str, *, may_be_skipped: bool = False
    ) -> None:
        """Return when the user of a session has proven who they are, for this operation.

        `may_be_skipped`: a proof given within `ui_auth.session_timeout` is enough. Raises as `confirm` does, and
        Forbidden for users who have no way to prove anything.
        """
        if may_be_skipped and await self._was_validated_lately(requester):
            return
        flows = await self._flows_of(requester.user_id)
        attempt = await self.confirm(auth, flows, operation, user_id=requester.user_id)
        await self.end(attempt)
        if requester.token_id is not None and self._config.ui_auth.session_timeout.ms:
            await self._sessions.mark_validated(requester.token_id)

    async def submit(self, attempt: Attempt, auth: Mapping[str, Any]) -> MatrixError | None:
        """Try one stage. Returns what was wrong with the proof; raises InvalidParam for a stage of no flow."""
        name = auth.get("type")
        if not isinstance(name, str) or name not in attempt.stages or name not in self._stages:
            raise InvalidParam(f"{name!r} is no stage of this authentication")
        try:
            outcome = await self._stages[name].check(auth, attempt)
        except MatrixError as error:
            return error
        attempt.completed[name] = outcome
        if attempt.is_stored:
            await self._database.write(lambda txn: sql.complete(txn, attempt.session_id, name, outcome))
        return None

    async def find(self, session_id: str) -> Attempt:
        """A stored session. Raises UnknownSession."""
        found = None
        if len(session_id) <= _MAX_ID_LENGTH and is_storable(session_id):
            found = await self._database.read(lambda txn: sql.get(txn, session_id))
        if found is None or found[0].created_ms < self._clock.now_ms() - SESSION_MS:
            raise UnknownSession()
        row, completed = found
        flows = tuple(msgspec.json.decode(row.flows, type=list[tuple[str, ...]]))
        return Attempt(row.session_id, row.operation, row.user_id, flows, completed, row.result, is_stored=True)

    async def remember(self, attempt: Attempt, result: str) -> None:
        """Keep what the operation gave, for a repeat of the request."""
        attempt.result = result
        if attempt.is_stored:
            await self._database.write(lambda txn: sql.remember(txn, attempt.session_id, result))

    async def end(self, attempt: Attempt) -> None:
        """Forget a session that has served."""
        if attempt.is_stored:
            await self._database.write(lambda txn: sql.end(txn, attempt.session_id))

    async def purge(self) -> None:
        """Forget sessions that are too old."""
        before_ms = self._clock.now_ms() - SESSION_MS
        await self._database.write(lambda txn: sql.purge(txn, before_ms))

    async def _attempt(self, auth: Mapping[str, Any], flows: Flows, operation: str, user_id: str | None) -> Attempt:
        wanted = tuple(tuple(flow) for flow in flows)
        session_id = auth.get("session")
        if session_id is None:
            return Attempt(self._randomness.random_string(_ID_LENGTH), operation, user_id, wanted)
        if not isinstance(session_id, str):
            raise BadJson("auth.session must be a string")
        attempt = await self.find(session_id)
        if attempt.operation != operation or attempt.user_id != user_id:
            raise Forbidden("This session of the authentication was begun for something else")
        attempt.flows = wanted
        return attempt

    async def _store(self, attempt: Attempt) -> None:
        if attempt.is_stored:
            return
        flows = msgspec.json.encode(attempt.flows).decode()
        created_ms = self._clock.now_ms()
        row = sql.SessionRow(attempt.session_id, attempt.operation, attempt.user_id, flows, None, created_ms)

        def store(transaction: Transaction) -> None:
            sql.add(transaction, row)
            for stage, outcome in attempt.completed.items():
                sql.complete(transaction, row.session_id, stage, outcome)

        await self._database.write(store)
        attempt.is_stored = True

    async def _flows_of(self, user_id: str) -> Flows:
        if not self._passwords.config.can_confirm or not await self._passwords.has_one(user_id):
            raise Forbidden("This account has no password with which this could be confirmed")
        return [[PASSWORD]]

    async def _was_validated_lately(self, requester: Requester) -> bool:
        timeout_ms = self._config.ui_auth.session_timeout.ms
        if not timeout_ms or requester.token_id is None:
            return False
        return self._clock.now_ms() - await self._sessions.validated_ms(requester.token_id) < timeout_ms
