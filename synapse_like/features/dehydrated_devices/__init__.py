"""Dehydrated devices (MSC3814): one that the server keeps receives keys while all devices of its user are away."""

from synapse_like.features.dehydrated_devices.api import DehydratedDevicesApi
from synapse_like.features.dehydrated_devices.logic import DehydratedDevices
from synapse_like.features.device_keys import KeyUploads
from synapse_like.features.sessions import Devices
from synapse_like.features.to_device import ToDevice
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "DehydratedDevices"]


def build(kit: Kit, rooms: Rooms, devices: Devices, uploads: KeyUploads, to_device: ToDevice) -> Built:
    """The endpoints."""
    dehydrated = DehydratedDevices(kit.database, rooms.user_log, devices, uploads, to_device)
    devices.companions.append(dehydrated)
    devices.never_stale.append(dehydrated.ids_of)
    return Built(fronts=[dehydrated], apis=[DehydratedDevicesApi(dehydrated)])


FEATURE = Feature(
    name="dehydrated_devices",
    build=build,
    package=__name__,
    apis=(DehydratedDevicesApi,),
    unstable={"org.matrix.msc3814": True},
)
