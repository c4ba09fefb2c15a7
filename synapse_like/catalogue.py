"""The one list of features, in dependency order."""

from collections.abc import Sequence

from synapse_like.features import server
from synapse_like.toolkit.feature import Feature

FEATURES: Sequence[Feature] = (server.FEATURE,)
