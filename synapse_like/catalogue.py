"""The one list of features, in dependency order."""

from collections.abc import Sequence

from synapse_like.features import directory, membership, reporting, room_creation, send, server, upgrade
from synapse_like.toolkit.feature import Feature

FEATURES: Sequence[Feature] = (
    server.FEATURE,
    directory.FEATURE,
    membership.FEATURE,
    send.FEATURE,
    room_creation.FEATURE,
    upgrade.FEATURE,
    reporting.FEATURE,
)
