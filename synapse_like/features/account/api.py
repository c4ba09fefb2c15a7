"""Changing the password and closing the account. Source: client-server API, "Account registration and management"."""

from typing import Any

import msgspec

from synapse_like.features.account.logic import Closing
from synapse_like.features.accounts import ACCOUNTS, Passwords
from synapse_like.features.sessions import DEVICES, TOKENS, Devices
from synapse_like.features.uia import Uia
from synapse_like.matrix.errors import Forbidden
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester

_WRITES = (ACCOUNTS.name, DEVICES.name, TOKENS.name)


class PasswordBody(msgspec.Struct):
    """The body of POST /account/password."""

    new_password: str
    logout_devices: bool = True
    auth: dict[str, Any] | None = None


class DeactivateBody(msgspec.Struct):
    """The body of POST /account/deactivate."""

    auth: dict[str, Any] | None = None
    erase: bool = False


class AccountApi:
    """The endpoints."""

    def __init__(self, passwords: Passwords, devices: Devices, uia: Uia, closing: Closing) -> None:
        self._passwords = passwords
        self._devices = devices
        self._uia = uia
        self._closing = closing

    @endpoint(
        "POST", client("/account/password"), auth=Auth.USER, body=PasswordBody, balance=Balance.USER, writes=_WRITES
    )
    async def change_password(self, request: Request[PasswordBody]) -> dict[str, Any]:
        """Change the password and, unless told otherwise, end all other sessions."""
        body, requester = request.body, request.requester
        if not self._passwords.config.localdb_enabled:
            raise Forbidden("Passwords cannot be changed on this server")
        self._passwords.check_new(body.new_password)
        await self._uia.confirm_user(requester, body.auth, "change the password")
        await self._passwords.change(requester.user_id, body.new_password)
        if body.logout_devices:
            await self._devices.delete_all(requester.user_id, but=requester.device_id)
        return {}

    @endpoint(
        "POST", client("/account/deactivate"), auth=Auth.USER, body=DeactivateBody, balance=Balance.USER, writes=_WRITES
    )
    async def deactivate(self, request: Request[DeactivateBody]) -> dict[str, Any]:
        """Close the account for ever."""
        body, requester = request.body, request.requester
        await self._uia.confirm_user(requester, body.auth, "deactivate the account")
        await self._closing.close(requester.user_id, is_erased=body.erase)
        return {"id_server_unbind_result": "success"}

    def capability(self, requester: Requester) -> dict[str, Any]:
        """What clients may offer their users."""
        can_change = self._passwords.config.localdb_enabled and self._passwords.config.can_confirm
        return {
            "m.change_password": {"enabled": can_change},
            "m.3pid_changes": {"enabled": False},
            "m.get_login_token": {"enabled": False},
        }
