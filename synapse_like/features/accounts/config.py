"""The keys of passwords."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synapse_like.toolkit.config import Secret, option
from synapse_like.toolkit.passwords import DEFAULT_ROUNDS


@dataclass(frozen=True)
class PasswordPolicy:
    """What a new password must be like."""

    enabled: bool = option(False, "Whether the rules below hold.")
    minimum_length: int = option(0, "The least number of characters.")
    require_digit: bool = option(False, "At least one digit.")
    require_symbol: bool = option(False, "At least one character that is neither letter nor digit.")
    require_lowercase: bool = option(False, "At least one lower-case letter.")
    require_uppercase: bool = option(False, "At least one upper-case letter.")


@dataclass(frozen=True)
class PasswordConfig:
    """Passwords."""

    enabled: Any = option(
        True, "Whether users log in with passwords: true, false, or only_for_reauth (to confirm what they do)."
    )
    localdb_enabled: bool = option(True, "Whether passwords of this server's own database count.")
    pepper: Secret | None = option(None, "Mixed into every password. Changing it makes all passwords wrong.")
    policy: PasswordPolicy = option(PasswordPolicy(), "What a new password must be like.")

    @property
    def can_log_in(self) -> bool:
        """Whether a password opens a session."""
        return self.enabled is True and self.localdb_enabled

    @property
    def can_confirm(self) -> bool:
        """Whether a password confirms what a logged-in user does."""
        return bool(self.enabled) and self.localdb_enabled


@dataclass(frozen=True)
class AccountsConfig:
    """Accounts and their passwords."""

    password_config: PasswordConfig = option(PasswordConfig(), "Passwords.")
    bcrypt_rounds: int = option(DEFAULT_ROUNDS, "The work of one password hash, as a power of two (4 to 31).")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        if not 4 <= self.bcrypt_rounds <= 31:
            yield "bcrypt_rounds", "must be between 4 and 31"
        if self.password_config.enabled not in (True, False, "only_for_reauth"):
            yield "password_config.enabled", "must be true, false or only_for_reauth"
