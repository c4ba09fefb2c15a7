"""One's own account: the password, closing it, and the addresses that it has not got."""

from synapse_like.features.account.addresses_api import AddressesApi
from synapse_like.features.account.api import AccountApi
from synapse_like.features.account.logic import Closing
from synapse_like.features.accounts import Accounts, Departures, Passwords
from synapse_like.features.sessions import Devices
from synapse_like.features.uia import Uia
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Closing"]


def build(
    kit: Kit, accounts: Accounts, departures: Departures, passwords: Passwords, devices: Devices, uia: Uia
) -> Built:
    """The endpoints, and closing accounts for whoever else does it."""
    closing = Closing(accounts, devices, departures)
    accounts.on_deactivated.insert(0, lambda user_id, is_erased: devices.delete_all(user_id))
    api = AccountApi(passwords, devices, uia, closing)
    return Built(fronts=[closing], apis=[api, AddressesApi()], capabilities=[api.capability])


FEATURE = Feature(name="account", build=build, package=__name__, apis=(AccountApi, AddressesApi))
