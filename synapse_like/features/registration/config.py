"""The keys of registration: who may make an account."""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config import Secret, option


@dataclass(frozen=True)
class RegistrationConfig:
    """Registration: who may make an account."""

    enable_registration: bool = option(False, "Whether anybody may register, with the proof that the keys below ask.")
    enable_registration_without_verification: bool = option(
        False, "Let anybody register without any proof. This invites spam: do it only where strangers cannot reach."
    )
    registration_requires_token: bool = option(False, "Whoever registers needs a token, which administrators make.")
    registration_shared_secret: Secret | None = option(
        None, "Who knows this may make accounts, administrators too: synapse-like register-user."
    )
    allow_guest_access: bool = option(False, "Let people in as guests, without an account of their own.")
    inhibit_user_in_use_error: bool = option(
        False, "Do not tell before the end of a registration that a name is taken."
    )
    allow_underscore_prefixed_registration: bool = option(False, "Let new names begin with an underscore.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys: open registration without any proof must be meant."""
        is_guarded = self.registration_requires_token or self.enable_registration_without_verification
        if self.enable_registration and not is_guarded:
            yield (
                "enable_registration",
                "would let anybody register without any proof. Set registration_requires_token: true, or, if that is "
                "what you want, enable_registration_without_verification: true",
            )
