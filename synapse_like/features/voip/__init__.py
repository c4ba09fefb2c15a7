"""Credentials for TURN servers. Calls themselves are events and to-device messages, and need nothing from here."""

from synapse_like.features.voip.api import VoipApi
from synapse_like.features.voip.config import VoipConfig
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit) -> Built:
    """The endpoint."""
    return Built(apis=[VoipApi(kit.config[VoipConfig], kit.clock)])


FEATURE = Feature(name="voip", build=build, package=__name__, apis=(VoipApi,), configs=(VoipConfig,))
