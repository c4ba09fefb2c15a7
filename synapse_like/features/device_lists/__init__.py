"""Lists of devices: telling those who share a room with a user that the user's keys have changed, or that they share no
room any more. In /sync, and at GET /keys/changes.

The keys themselves are in ``device_keys``. A feature that changes keys appends what `DeviceLists.changed` gives it
together with its own facts. Federation follows the stream `DEVICE_LISTS` for what it has to tell other servers (the
fact's `number` and `previous` are good as `stream_id` and `prev_id`), and calls `DeviceLists.remote_changed` for what
others tell us.
"""

from synapse_like.features.device_lists.api import KeyChangesApi
from synapse_like.features.device_lists.logic import DeviceLists
from synapse_like.features.device_lists.news import News
from synapse_like.features.device_lists.second_look import SecondLook
from synapse_like.features.device_lists.section import DeviceListsSection
from synapse_like.features.device_lists.sql import versions
from synapse_like.features.device_lists.stream import (
    DEVICE_LISTS,
    SIGNED_USERS,
    STORAGES,
    DeviceListFact,
    SignedUsersFact,
)
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["DEVICE_LISTS", "FEATURE", "SIGNED_USERS", "DeviceListFact", "DeviceLists", "SignedUsersFact", "versions"]

_PURGE_SECONDS = 6 * 60 * 60.0


def build(kit: Kit, rooms: Rooms) -> Built:
    """The streams, their part of /sync, and the endpoint."""
    lists = DeviceLists(kit.database, rooms, kit.clock)
    news = News(rooms.reader)
    return Built(
        fronts=[lists],
        apis=[KeyChangesApi(lists)],
        storages=STORAGES,
        sections=[DeviceListsSection(rooms.reader, news)],
        services=[news],
        tenants=[(USER, SecondLook(lists, rooms.reader))],
        jobs=[("device lists", _PURGE_SECONDS, lists.purge)],
    )


FEATURE = Feature(name="device_lists", build=build, package=__name__, apis=(KeyChangesApi,))
