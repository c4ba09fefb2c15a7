"""Keys of devices and of cross-signing: uploaded by devices, signed by their users, shown to whoever asks.

One-time keys are in ``one_time_keys``, who has to hear of a change is in ``device_lists``. Federation asks
`KeyQuery.published` for keys of users of ours, and sets `KeyQuery.remote` (the port `RemoteKeys`) to be asked for those
of others; `KeyUploads.store` stores keys of a device that does not upload them itself.
"""

from synapse_like.features.accounts import Accounts
from synapse_like.features.device_keys.api import CrossSigningApi, DeviceKeysApi
from synapse_like.features.device_keys.cross_signing import CrossSigning
from synapse_like.features.device_keys.ports import RemoteAnswer, RemoteKeys
from synapse_like.features.device_keys.published import Published, PublishedKeys
from synapse_like.features.device_keys.query import KeyQuery
from synapse_like.features.device_keys.signatures import KeySignatures
from synapse_like.features.device_keys.uploads import KeyTools, KeyUploads, Upload
from synapse_like.features.device_lists import DeviceLists
from synapse_like.features.one_time_keys import OneTimeKeys
from synapse_like.features.sessions import Devices
from synapse_like.features.uia import Uia
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "CrossSigning", "KeyQuery", "KeyUploads", "Published", "RemoteAnswer", "RemoteKeys", "Upload"]


def build(
    kit: Kit,
    rooms: Rooms,
    accounts: Accounts,
    devices: Devices,
    uia: Uia,
    lists: DeviceLists,
    one_time_keys: OneTimeKeys,
) -> Built:
    """The endpoints of keys."""
    tools = KeyTools(kit.database, rooms.user_log, devices, lists)
    uploads = KeyUploads(tools, one_time_keys)
    devices.companions.append(uploads)
    query = KeyQuery(PublishedKeys(kit.database, rooms.reader, rooms.user_log), kit.server_name)
    cross_signing = CrossSigning(tools, uia)
    accounts.on_deactivated.append(lambda user_id, is_erased: cross_signing.forget(user_id))
    return Built(
        fronts=[uploads, query, cross_signing],
        apis=[
            DeviceKeysApi(uploads, query, one_time_keys),
            CrossSigningApi(cross_signing, KeySignatures(tools, query)),
        ],
    )


FEATURE = Feature(
    name="device_keys",
    build=build,
    package=__name__,
    apis=(DeviceKeysApi, CrossSigningApi),
    unstable={"org.matrix.e2e_cross_signing": True},
)
