"""One-time keys and fallback keys: each is given out once, or again and again when the others have run out; and what
/sync tells a device of how many it has left.

They are uploaded together with a device's other keys, in ``device_keys``, which has the endpoints. Federation calls
`OneTimeKeys.claim_all` for users of ours.
"""

from synapse_like.features.accounts import Accounts
from synapse_like.features.one_time_keys.facts import Key, OneTimeKeysFact, Stock
from synapse_like.features.one_time_keys.keys import parsed_fallbacks, parsed_keys
from synapse_like.features.one_time_keys.logic import Claimed, Claims, Deposit, OneTimeKeys
from synapse_like.features.one_time_keys.section import OneTimeKeysSection
from synapse_like.features.one_time_keys.stream import ONE_TIME_KEYS, STORAGE
from synapse_like.features.sessions import Devices
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = [
    "FEATURE",
    "ONE_TIME_KEYS",
    "Claimed",
    "Claims",
    "Deposit",
    "Key",
    "OneTimeKeys",
    "OneTimeKeysFact",
    "Stock",
    "parsed_fallbacks",
    "parsed_keys",
]


def build(kit: Kit, rooms: Rooms, accounts: Accounts, devices: Devices) -> Built:
    """The stream and its part of /sync."""
    keys = OneTimeKeys(rooms.user_log, accounts)
    devices.companions.append(keys)
    return Built(fronts=[keys], storages=[STORAGE], sections=[OneTimeKeysSection(rooms.reader, kit.database)])


FEATURE = Feature(name="one_time_keys", build=build, package=__name__)
