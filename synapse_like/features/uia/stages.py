"""Stages: the single proofs of which flows are made. Further ones are added by the features that know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from synapse_like.features.accounts import Passwords
from synapse_like.matrix.errors import Forbidden, MissingParam
from synapse_like.toolkit.config.rate_limits import RateLimit
from synapse_like.toolkit.ratelimit import RateLimiter

DUMMY = "m.login.dummy"
PASSWORD = "m.login.password"


@dataclass(slots=True)
class Attempt:
    """One session of proving who one is."""

    session_id: str
    operation: str
    user_id: str | None
    """Who has to prove it; None if nobody is logged in (registration)."""
    flows: tuple[tuple[str, ...], ...]
    completed: dict[str, str] = field(default_factory=dict)
    """Outcomes by stage."""
    result: str | None = None
    """What the operation gave when it was done with this session before."""
    is_stored: bool = False

    @property
    def stages(self) -> set[str]:
        """All stages that may be tried."""
        return {stage for flow in self.flows for stage in flow}

    @property
    def is_complete(self) -> bool:
        """Whether the stages of some flow are all done."""
        return any(all(stage in self.completed for stage in flow) for flow in self.flows)


@dataclass(frozen=True, slots=True)
class Field:
    """What the fallback page of a stage asks for."""

    name: str
    label: str
    kind: str = "text"


class AuthStage(Protocol):
    """A kind of proof."""

    name: str
    """The stage's type, such as `m.login.dummy`."""
    fields: Sequence[Field]
    """What its fallback page asks for."""

    async def check(self, auth: Mapping[str, Any], attempt: Attempt) -> str:
        """Check what a client submits; the answer is kept as the stage's outcome. Raises what is wrong with it."""
        ...


class DummyStage:
    """No proof at all."""

    name = DUMMY
    fields: Sequence[Field] = ()

    async def check(self, auth: Mapping[str, Any], attempt: Attempt) -> str:
        """Everybody passes."""
        return "done"


class PasswordStage:
    """The password of the user who is logged in."""

    name = PASSWORD
    fields: Sequence[Field] = (Field("password", "Your password", "password"),)

    def __init__(self, passwords: Passwords, limiter: RateLimiter, failures: RateLimit) -> None:
        self._passwords = passwords
        self._limiter = limiter
        self._failures = failures

    async def check(self, auth: Mapping[str, Any], attempt: Attempt) -> str:
        """Check the password. Raises MissingParam, Forbidden or LimitExceeded."""
        password = auth.get("password")
        if not isinstance(password, str):
            raise MissingParam("A password is needed")
        user_id = attempt.user_id
        if user_id is None or not _names(auth, user_id):
            raise Forbidden("This is not the user who is logged in")
        if not self._limiter.would_allow("uia_failures", user_id, self._failures):
            self._limiter.check("uia_failures", user_id, self._failures)
        if not await self._passwords.is_right(user_id, password):
            self._limiter.count("uia_failures", user_id, self._failures)
            raise Forbidden("Invalid password")
        return user_id


def _names(auth: Mapping[str, Any], user_id: str) -> bool:
    """Whether the identifier, if there is one, is that of the user."""
    identifier = auth.get("identifier")
    named = identifier.get("user") if isinstance(identifier, dict) else auth.get("user")
    if named is None:
        return True
    return isinstance(named, str) and named.lower() in (user_id, user_id[1:].partition(":")[0])
