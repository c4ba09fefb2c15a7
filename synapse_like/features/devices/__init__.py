"""The list of a user's devices: look, rename, delete with proof; and deleting those that nobody uses.

Devices and tokens themselves are in ``sessions``.
"""

from synapse_like.features.devices.api import DevicesApi
from synapse_like.features.devices.config import DevicesConfig
from synapse_like.features.devices.stale import EVERY_SECONDS, StaleDevices
from synapse_like.features.sessions import Devices
from synapse_like.features.uia import Uia
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit, devices: Devices, uia: Uia) -> Built:
    """The endpoints."""
    stale = StaleDevices(devices, kit.clock, kit.config[DevicesConfig])
    return Built(apis=[DevicesApi(devices, uia)], jobs=[("stale devices", EVERY_SECONDS, stale.delete)])


FEATURE = Feature(name="devices", build=build, package=__name__, apis=(DevicesApi,), configs=(DevicesConfig,))
