"""Sessions: a user's devices and their access and refresh tokens, and who is calling with which token.

Opening a session is for the features that have found out who somebody is (``login``, ``registration``); the endpoints
of the list of devices are the feature ``devices``.
"""

from synapse_like.features.accounts import Accounts
from synapse_like.features.sessions.api import SessionsApi
from synapse_like.features.sessions.authentication import TokenAuthenticator
from synapse_like.features.sessions.config import SessionsConfig
from synapse_like.features.sessions.devices import MAX_NAME_LENGTH, Companion, Devices
from synapse_like.features.sessions.facts import Device, DeviceFact, Session, SessionWish
from synapse_like.features.sessions.logic import Sessions, SessionTools
from synapse_like.features.sessions.sightings import WRITE_SECONDS, Sightings
from synapse_like.features.sessions.stream import DEVICES, STORAGES, TOKENS
from synapse_like.features.sessions.tokens import TokenMint
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.numbers import NumberBlock
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = [
    "DEVICES",
    "FEATURE",
    "MAX_NAME_LENGTH",
    "TOKENS",
    "Companion",
    "Device",
    "DeviceFact",
    "Devices",
    "Session",
    "SessionWish",
    "Sessions",
    "TokenAuthenticator",
]

_PURGE_SECONDS = 6 * 60 * 60.0


def build(kit: Kit, rooms: Rooms, accounts: Accounts) -> Built:
    """Sessions, devices, and who knows tokens."""
    mint = TokenMint(_token_key(kit, rooms), kit.randomness)
    numbers = NumberBlock(kit.database, "token")
    tools = SessionTools(kit.database, kit.clock, kit.randomness, rooms.user_log, mint, numbers)
    sightings = Sightings(kit.database, kit.clock)
    devices = Devices(kit.database, rooms.user_log, kit.clock, sightings)
    sessions = Sessions(tools, kit.config[SessionsConfig], devices)
    authenticator = TokenAuthenticator(tools, accounts, sessions, devices, sightings)
    rooms.reader.subscribe(TOKENS, authenticator.take)
    return Built(
        fronts=[sessions, devices, authenticator],
        apis=[SessionsApi(sessions, devices, kit.limiter)],
        storages=STORAGES,
        services=[sightings],
        caches={"access_tokens": authenticator.cache},
        jobs=[("deleted devices", _PURGE_SECONDS, devices.purge)],
        ticks=[("sightings", WRITE_SECONDS, sightings.write)],
    )


def _token_key(kit: Kit, rooms: Rooms) -> bytes:
    """The secret that the user's part of tokens is made with: of the configuration, else of the signing key."""
    secret = kit.config[ServerConfig].macaroon_secret_key
    return secret.value.encode() if secret else rooms.identity.signing_key.signature(b"tokens").encode()


FEATURE = Feature(name="sessions", build=build, package=__name__, apis=(SessionsApi,), configs=(SessionsConfig,))
