"""Messages to devices: sent past all rooms, kept until the device has them.

`ToDevice` is the front door. Each user's messages are facts in that user's own log. Those for users of other servers
are EDUs that wait in the outbox of federation.
"""

from synapse_like.features.accounts import Accounts
from synapse_like.features.sessions import Devices
from synapse_like.features.to_device.api import ToDeviceApi
from synapse_like.features.to_device.arrivals import WRITE_SECONDS, Arrivals
from synapse_like.features.to_device.companion import Inboxes
from synapse_like.features.to_device.deliveries import Deliveries
from synapse_like.features.to_device.edus import OutgoingMessages, receiver
from synapse_like.features.to_device.facts import EVERY_DEVICE, ToDeviceFact, Transaction
from synapse_like.features.to_device.logic import Contents, RemoteInboxes, ToDevice
from synapse_like.features.to_device.section import ToDeviceSection
from synapse_like.features.to_device.stream import STORAGE, TO_DEVICE
from synapse_like.federation.outbound import Outbox
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = [
    "EVERY_DEVICE",
    "FEATURE",
    "TO_DEVICE",
    "Contents",
    "RemoteInboxes",
    "ToDevice",
    "ToDeviceFact",
    "Transaction",
]

_PURGE_SECONDS = 60 * 60.0
_TRIM_SECONDS = 5 * 60.0


def build(kit: Kit, rooms: Rooms, accounts: Accounts, devices: Devices, outbox: Outbox) -> Built:
    """The endpoint, the stream, its part of /sync, and the emptying of inboxes."""
    sent = Deliveries(kit.database, kit.clock)
    to_device = ToDevice(kit.database, rooms.user_log, accounts, kit.clock, kit.server_name, sent)
    to_device.remote = OutgoingMessages(kit.database, outbox)
    arrivals = Arrivals(kit.database)
    devices.companions.append(Inboxes())
    rooms.reader.subscribe(TO_DEVICE, arrivals.heard)
    return Built(
        fronts=[to_device],
        apis=[ToDeviceApi(to_device)],
        storages=[STORAGE],
        sections=[ToDeviceSection(rooms.reader, arrivals)],
        services=[arrivals],
        tenants=[(USER, sent)],
        jobs=[("to-device transactions", _PURGE_SECONDS, sent.purge), ("inboxes", _TRIM_SECONDS, to_device.trim)],
        ticks=[("arrivals", WRITE_SECONDS, arrivals.write)],
        edu_receivers=[receiver(to_device)],
    )


FEATURE = Feature(name="to_device", build=build, package=__name__, apis=(ToDeviceApi,))
