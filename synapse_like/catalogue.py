"""The one list of features, in dependency order."""

from collections.abc import Sequence

from synapse_like.features import (
    account,
    accounts,
    devices,
    directory,
    login,
    membership,
    registration,
    registration_tokens,
    reporting,
    room_creation,
    send,
    server,
    sessions,
    uia,
    upgrade,
)
from synapse_like.toolkit.feature import Feature

FEATURES: Sequence[Feature] = (
    server.FEATURE,
    accounts.FEATURE,
    sessions.FEATURE,
    uia.FEATURE,
    devices.FEATURE,
    registration_tokens.FEATURE,
    login.FEATURE,
    registration.FEATURE,
    account.FEATURE,
    directory.FEATURE,
    membership.FEATURE,
    send.FEATURE,
    room_creation.FEATURE,
    upgrade.FEATURE,
    reporting.FEATURE,
)
