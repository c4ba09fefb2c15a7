"""Accounts: who has one on this server, their passwords, and what becomes of them when they are closed.

Registering, logging in and sessions are features of their own, built on this one. Nothing here is an endpoint.
"""

from synapse_like.features.accounts.config import AccountsConfig, PasswordConfig
from synapse_like.features.accounts.departures import RETRY_SECONDS, Departures
from synapse_like.features.accounts.facts import AccountFact, Applicant
from synapse_like.features.accounts.logic import Accounts
from synapse_like.features.accounts.passwords import Passwords
from synapse_like.features.accounts.stream import ACCOUNTS, STORAGE
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = [
    "ACCOUNTS",
    "FEATURE",
    "AccountFact",
    "Accounts",
    "Applicant",
    "Departures",
    "PasswordConfig",
    "Passwords",
]


def build(kit: Kit, rooms: Rooms) -> Built:
    """Accounts, passwords, departures."""
    accounts = Accounts(kit.database, rooms, kit.clock)
    departures = Departures(accounts, rooms.user_log)
    return Built(
        fronts=[accounts, Passwords(kit.database, kit.config[AccountsConfig]), departures],
        storages=[STORAGE],
        tenants=[(USER, departures)],
        caches={"accounts": accounts.cache},
        ticks=[("departures", RETRY_SECONDS, departures.resume)],
    )


FEATURE = Feature(name="accounts", build=build, package=__name__, configs=(AccountsConfig,))
