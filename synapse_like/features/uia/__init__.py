"""User-interactive authentication: asking for proof before something important is done, in stages, with fallback pages.

Features call :class:`Uia`; a feature that knows a further kind of proof adds a stage.
"""

from synapse_like.features.accounts import Passwords
from synapse_like.features.sessions import Sessions
from synapse_like.features.uia.api import FallbackApi
from synapse_like.features.uia.config import UiaConfig
from synapse_like.features.uia.errors import AuthenticationNeeded
from synapse_like.features.uia.logic import SESSION_MS, Uia, UiaTools
from synapse_like.features.uia.stages import DUMMY, Attempt, AuthStage, DummyStage, Field, PasswordStage
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["DUMMY", "FEATURE", "SESSION_MS", "Attempt", "AuthStage", "AuthenticationNeeded", "Field", "Uia"]

_PURGE_SECONDS = 60 * 60.0


def build(kit: Kit, sessions: Sessions, passwords: Passwords) -> Built:
    """Sessions of authentication, the stages that every server has, and the pages."""
    uia = Uia(UiaTools(kit.database, kit.clock, kit.randomness), sessions, passwords, kit.config[UiaConfig])
    uia.add_stage(DummyStage())
    uia.add_stage(PasswordStage(passwords, kit.limiter, kit.config[RateLimits].rc_login.failed_attempts))
    return Built(fronts=[uia], apis=[FallbackApi(uia)], jobs=[("uia sessions", _PURGE_SECONDS, uia.purge)])


FEATURE = Feature(name="uia", build=build, package=__name__, apis=(FallbackApi,), configs=(UiaConfig,))
