"""Devices across servers: lists and keys of other servers' users, kept and kept current; ours, shown and told.

What clients ask for is asked in ``device_keys``, which asks here for users of other servers.
"""

from synapse_like.features.device_keys import KeyQuery
from synapse_like.features.device_lists import DeviceLists
from synapse_like.features.one_time_keys import OneTimeKeys
from synapse_like.features.remote_devices.api import RemoteDevicesApi
from synapse_like.features.remote_devices.asking import RemoteKeyAsking
from synapse_like.features.remote_devices.cache import RemoteDeviceCache
from synapse_like.features.remote_devices.config import RemoteDevicesConfig
from synapse_like.features.remote_devices.departures import Departures
from synapse_like.features.remote_devices.edus import OwnDevices, receivers
from synapse_like.federation import Federation
from synapse_like.federation.outbound import Sender
from synapse_like.rooms.facts import EVENTS
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(
    kit: Kit,
    rooms: Rooms,
    federation: Federation,
    sender: Sender,
    lists: DeviceLists,
    query: KeyQuery,
    one_time_keys: OneTimeKeys,
) -> Built:
    """The cache, what fills it, and what other servers ask for."""
    shows_names = kit.config[RemoteDevicesConfig].allow_device_name_lookup_over_federation
    cache = RemoteDeviceCache(kit.database, rooms.user_log, lists)
    if federation.policy.is_enabled:
        query.remote = RemoteKeyAsking(federation.client, cache)
    rooms.reader.subscribe(EVENTS, Departures(cache, sender, kit.server_name).take)
    return Built(
        fronts=[cache],
        apis=[RemoteDevicesApi(query, one_time_keys, shows_names=shows_names)],
        edu_sources=OwnDevices(rooms, query, shows_names=shows_names).sources(),
        edu_receivers=receivers(cache),
    )


FEATURE = Feature(
    name="remote_devices",
    build=build,
    package=__name__,
    apis=(RemoteDevicesApi,),
    configs=(RemoteDevicesConfig,),
)
