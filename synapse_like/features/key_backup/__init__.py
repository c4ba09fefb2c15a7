"""Backups of the keys of rooms, encrypted by clients: versions, and keys by room and session."""

from synapse_like.features.accounts import Accounts
from synapse_like.features.key_backup.api import BackedUpKeysApi, BackupsApi
from synapse_like.features.key_backup.logic import KeyBackups
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "KeyBackups"]


def build(kit: Kit, accounts: Accounts) -> Built:
    """The endpoints."""
    backups = KeyBackups(kit.database)
    accounts.on_deactivated.append(lambda user_id, is_erased: backups.forget(user_id))
    return Built(fronts=[backups], apis=[BackupsApi(backups), BackedUpKeysApi(backups)])


FEATURE = Feature(name="key_backup", build=build, package=__name__, apis=(BackupsApi, BackedUpKeysApi))
