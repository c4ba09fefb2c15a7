"""Registration tokens: texts that administrators make and give to people, who can register with them.

The endpoint at which anybody asks whether a token is good belongs to ``registration``.
"""

from synapse_like.features.registration_tokens.api import RegistrationTokensApi
from synapse_like.features.registration_tokens.logic import (
    REGISTRATION_TOKEN,
    RegistrationTokens,
    RegistrationTokenStage,
)
from synapse_like.features.uia import Uia
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "REGISTRATION_TOKEN", "RegistrationTokens"]

_GIVE_BACK_SECONDS = 60 * 60.0


def build(kit: Kit, uia: Uia) -> Built:
    """The tokens, their stage of authentication, and the endpoints."""
    tokens = RegistrationTokens(kit.database, kit.clock, kit.randomness)
    uia.add_stage(RegistrationTokenStage(tokens))
    return Built(
        fronts=[tokens],
        apis=[RegistrationTokensApi(tokens, kit.clock)],
        jobs=[("registration tokens", _GIVE_BACK_SECONDS, tokens.give_back_stale)],
    )


FEATURE = Feature(name="registration_tokens", build=build, package=__name__, apis=(RegistrationTokensApi,))
