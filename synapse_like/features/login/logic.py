"""Logging in with a password. Sessions are opened by ``sessions``."""

from dataclasses import dataclass
from typing import Any

from synapse_like.features.accounts import Accounts, Passwords
from synapse_like.matrix.errors import Forbidden, UserDeactivated
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.toolkit.config.rate_limits import LoginLimits
from synapse_like.toolkit.http.texts import is_storable
from synapse_like.toolkit.ratelimit import RateLimiter


@dataclass(frozen=True, slots=True)
class Gate:
    """How often somebody may try."""

    limiter: RateLimiter
    limits: LoginLimits

    def check_address(self, address: str) -> None:
        """Count a try from an address. Raises LimitExceeded."""
        self.limiter.check("login_address", address, self.limits.address)

    def check_account(self, user_id: str) -> None:
        """Count a successful login. Raises LimitExceeded."""
        self.limiter.check("login_account", user_id, self.limits.account)

    def check_failures(self, user_id: str) -> None:
        """Raise LimitExceeded after too many wrong passwords."""
        if not self.limiter.would_allow("login_failures", user_id, self.limits.failed_attempts):
            self.limiter.check("login_failures", user_id, self.limits.failed_attempts)

    def count_failure(self, user_id: str) -> None:
        """Count a wrong password."""
        self.limiter.count("login_failures", user_id, self.limits.failed_attempts)


class PasswordLogin:
    """Finds out who logs in with a password."""

    def __init__(self, server_name: str, accounts: Accounts, passwords: Passwords, gate: Gate) -> None:
        self.is_enabled = passwords.config.can_log_in
        self._server_name = server_name
        self._accounts = accounts
        self._passwords = passwords
        self._gate = gate

    async def log_in(self, name: str, password: str) -> str:
        """Return the user id. Raises Forbidden, UserDeactivated or LimitExceeded.

        `name` is a user id or a localpart; letters of the wrong case are forgiven.
        """
        user_id = self.user_id_of(name)
        self._gate.check_failures(user_id)
        if not is_storable(user_id) or not is_valid_user_id(user_id):
            raise Forbidden("Invalid username or password")
        if not await self._accounts.exists(user_id):
            user_id = user_id.lower()
        if await self._accounts.is_deactivated(user_id):
            raise UserDeactivated()
        if not await self._passwords.is_right(user_id, password):
            self._gate.count_failure(user_id)
            raise Forbidden("Invalid username or password")
        self._gate.check_account(user_id)
        return user_id

    def user_id_of(self, name: str) -> str:
        """The user id that is meant by what somebody typed."""
        return name if name.startswith("@") else f"@{name}:{self._server_name}"


def name_in(identifier: dict[str, Any] | None, user: str | None) -> str | None:
    """Return the name in a login's identifier (or in its old key `user`); None if it is of another kind."""
    if identifier is None:
        return user
    name = identifier.get("user")
    return name if identifier.get("type") == "m.id.user" and isinstance(name, str) else None
