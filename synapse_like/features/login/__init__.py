"""Logging in: with a password, and the page for clients that cannot do it themselves."""

from synapse_like.features.accounts import Accounts, Passwords
from synapse_like.features.login.api import LoginApi
from synapse_like.features.login.logic import Gate, PasswordLogin
from synapse_like.features.sessions import Sessions
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit, accounts: Accounts, passwords: Passwords, sessions: Sessions) -> Built:
    """The endpoints."""
    gate = Gate(kit.limiter, kit.config[RateLimits].rc_login)
    login = PasswordLogin(kit.server_name, accounts, passwords, gate)
    return Built(apis=[LoginApi(login, gate, sessions, kit.config[ServerConfig].public_baseurl)])


FEATURE = Feature(name="login", build=build, package=__name__, apis=(LoginApi,))
