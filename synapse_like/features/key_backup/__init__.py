"""Backups of the keys of rooms, encrypted by clients: versions, and keys by room and session."""

from synapse_like.features.key_backup.api import BackedUpKeysApi, BackupsApi
from synapse_like.features.key_backup.logic import KeyBackups
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "KeyBackups"]


def build(kit: Kit) -> Built:
    """The endpoints."""
    backups = KeyBackups(kit.database)
    return Built(fronts=[backups], apis=[BackupsApi(backups), BackedUpKeysApi(backups)])


FEATURE = Feature(name="key_backup", build=build, package=__name__, apis=(BackupsApi, BackedUpKeysApi))
