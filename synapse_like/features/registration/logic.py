"""Registering: users, guests, and users made by whoever knows the shared secret."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from synapse_like.features.accounts import Accounts, Applicant, Passwords
from synapse_like.features.registration import sql
from synapse_like.features.registration.config import RegistrationConfig
from synapse_like.features.registration.names import user_id_for
from synapse_like.matrix.errors import BadRequest, Exclusive, Forbidden, UserInUse
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.randomness import Randomness

NONCE_MS: Final = 60_000
_DIGITS: Final = "0123456789"
_GUEST_DIGITS: Final = 10
_NAME_LENGTH: Final = 16
_NAME_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class RegistrationTools:
    """What registration is made with."""

    server_name: str
    database: Database
    clock: Clock
    randomness: Randomness


@dataclass(frozen=True, slots=True)
class SharedSecretProof:
    """What somebody sends who says that they know the shared secret. All texts as they were sent."""

    nonce: str
    username: str
    password: str
    is_admin: bool
    user_type: str | None
    mac: str


class Registration:
    """Makes accounts."""

    def __init__(
        self, tools: RegistrationTools, config: RegistrationConfig, accounts: Accounts, passwords: Passwords
    ) -> None:
        self.config = config
        self._tools = tools
        self._accounts = accounts
        self._passwords = passwords

    def user_id_for(self, name: str) -> str:
        """The id that a wanted name gives. Raises InvalidUsername or Exclusive."""
        underscore = self.config.allow_underscore_prefixed_registration
        user_id = user_id_for(name, self._tools.server_name, allows_underscore=underscore)
        if self._accounts.is_claimed(user_id):
            raise Exclusive()
        return user_id

    async def check_available(self, name: str) -> None:
        """Raise InvalidUsername, Exclusive or UserInUse if nobody can register under this name."""
        user_id = self.user_id_for(name)
        if not self.config.inhibit_user_in_use_error and await self._accounts.exists(user_id):
            raise UserInUse()

    async def register(self, name: str | None, password: str | None) -> str:
        """Make a user, under a random name if none is wanted; the user id. Raises as `check_available` does."""
        user_id = self.user_id_for(name or self._tools.randomness.random_string(_NAME_LENGTH, _NAME_LETTERS))
        hashed = None if password is None else await self._passwords.hash(password)
        await self._accounts.register(Applicant(user_id, hashed))
        return user_id

    async def register_guest(self) -> str:
        """Make a guest; the user id."""
        while True:
            localpart = self._tools.randomness.random_string(_GUEST_DIGITS, _DIGITS)
            user_id = f"@{localpart}:{self._tools.server_name}"
            try:
                await self._accounts.register(Applicant(user_id, is_guest=True))
            except UserInUse:
                continue
            return user_id

    async def nonce(self) -> str:
        """A value that makes a proof of knowing the shared secret good for once. Raises BadRequest without secret."""
        _ = self._secret()
        nonce = self._tools.randomness.random_bytes(32).hex()
        now_ms = self._tools.clock.now_ms()
        await self._tools.database.write(lambda txn: sql.add_nonce(txn, nonce, now_ms, now_ms - NONCE_MS))
        return nonce

    async def register_by_secret(self, proof: SharedSecretProof, display_name: str | None) -> str:
        """Make a user for somebody who knows the shared secret; the user id.

        Raises BadRequest for an unknown nonce, Forbidden for a wrong proof, and as `register` does.
        """
        after_ms = self._tools.clock.now_ms() - NONCE_MS
        if not await self._tools.database.write(lambda txn: sql.use_nonce(txn, proof.nonce, after_ms)):
            raise BadRequest("The nonce is not known")
        expected = mac_of(self._secret(), proof)
        if not hmac.compare_digest(expected.encode(), proof.mac.encode("utf-8", "surrogatepass")):
            raise Forbidden("The HMAC is not correct")
        user_id = user_id_for(proof.username, self._tools.server_name, allows_underscore=True)
        hashed = await self._passwords.hash(proof.password)
        await self._accounts.register(
            Applicant(user_id, hashed, display_name, is_admin=proof.is_admin, user_type=proof.user_type)
        )
        return user_id

    def _secret(self) -> str:
        secret = self.config.registration_shared_secret
        if not secret:
            raise BadRequest("Registration by shared secret is not enabled")
        return secret.value


def mac_of(secret: str, proof: SharedSecretProof) -> str:
    """Return the HMAC-SHA1 of a proof in hexadecimal: its parts with NULs between them."""
    parts = [proof.nonce, proof.username, proof.password, "admin" if proof.is_admin else "notadmin"]
    if proof.user_type is not None:
        parts.append(proof.user_type)
    return hmac.new(secret.encode(), "\0".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha1).hexdigest()
