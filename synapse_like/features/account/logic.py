"""Closing an account: nobody can act as its user from then on, the sessions end, and the user leaves everywhere."""

from synapse_like.features.accounts import Accounts, Departures
from synapse_like.features.sessions import Devices


class Closing:
    """Closes accounts."""

    def __init__(self, accounts: Accounts, devices: Devices, departures: Departures) -> None:
        self._accounts = accounts
        self._devices = devices
        self._departures = departures

    async def close(self, user_id: str, *, is_erased: bool) -> None:
        """Close an account. On return all its tokens are dead; leaving rooms goes on. Raises NotFound."""
        await self._accounts.close(user_id, is_erased=is_erased)
        await self._devices.delete_all(user_id)
        self._departures.begin(user_id, is_erased)
