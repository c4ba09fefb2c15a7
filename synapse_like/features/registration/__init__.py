"""Registration: how accounts come to be. Openly, with a registration token, as a guest, or by the shared secret."""

from synapse_like.features.accounts import Accounts, Passwords
from synapse_like.features.registration.api import Applications, RegistrationApi
from synapse_like.features.registration.config import RegistrationConfig
from synapse_like.features.registration.logic import Registration, RegistrationTools
from synapse_like.features.registration.secret_api import SharedSecretApi
from synapse_like.features.registration_tokens import RegistrationTokens
from synapse_like.features.sessions import Sessions
from synapse_like.features.uia import Uia
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Registration"]


def build(
    kit: Kit, accounts: Accounts, passwords: Passwords, sessions: Sessions, uia: Uia, tokens: RegistrationTokens
) -> Built:
    """Registration and its endpoints."""
    tools = RegistrationTools(kit.server_name, kit.database, kit.clock, kit.randomness)
    registration = Registration(tools, kit.config[RegistrationConfig], accounts, passwords)
    applications = Applications(accounts, passwords, sessions, uia, tokens)
    apis = [
        RegistrationApi(registration, applications, kit.limiter, kit.config[RateLimits]),
        SharedSecretApi(registration, sessions, passwords),
    ]
    return Built(fronts=[registration], apis=apis)


FEATURE = Feature(
    name="registration",
    build=build,
    package=__name__,
    apis=(RegistrationApi, SharedSecretApi),
    configs=(RegistrationConfig,),
)
