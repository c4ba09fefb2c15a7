"""Endpoints of the list of devices. Source: client-server API, "Device Management"."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from synapse_like.features.sessions import DEVICES, MAX_NAME_LENGTH, TOKENS, Devices
from synapse_like.features.uia import Uia
from synapse_like.matrix.errors import NotFound
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.texts import checked_text, is_storable

_WRITES = (DEVICES.name, TOKENS.name)


class RenameBody(msgspec.Struct):
    """The body of PUT /devices/{device_id}."""

    display_name: str | None = None


class DeleteBody(msgspec.Struct):
    """The body of DELETE /devices/{device_id}."""

    auth: dict[str, Any] | None = None


class DeleteManyBody(msgspec.Struct):
    """The body of POST /delete_devices."""

    devices: list[str]
    auth: dict[str, Any] | None = None


class DevicesApi:
    """The endpoints."""

    def __init__(self, devices: Devices, uia: Uia) -> None:
        self._devices = devices
        self._uia = uia

    @endpoint("GET", client("/devices"), auth=Auth.USER, balance=Balance.USER)
    async def show_all(self, request: Request[Any]) -> dict[str, Any]:
        """All devices of the user."""
        found = await self._devices.all(request.requester.user_id)
        return {"devices": [device.as_json() for device in found]}

    @endpoint("GET", client("/devices/{device_id}"), auth=Auth.USER, balance=Balance.USER)
    async def show(self, request: Request[Any]) -> dict[str, Any]:
        """One device."""
        return (await self._devices.get(request.requester.user_id, request.params["device_id"])).as_json()

    @endpoint(
        "PUT",
        client("/devices/{device_id}"),
        auth=Auth.USER,
        body=RenameBody,
        balance=Balance.USER,
        writes=(DEVICES.name,),
    )
    async def rename(self, request: Request[RenameBody]) -> dict[str, Any]:
        """Give a device another name."""
        user_id, device_id = request.requester.user_id, request.params["device_id"]
        name = request.body.display_name
        if name is None:
            await self._devices.get(user_id, device_id)
            return {}
        await self._devices.rename(user_id, device_id, checked_text("The name of a device", name, MAX_NAME_LENGTH))
        return {}

    @endpoint(
        "DELETE",
        client("/devices/{device_id}"),
        auth=Auth.USER,
        body=DeleteBody,
        allows_empty_body=True,
        balance=Balance.USER,
        writes=_WRITES,
    )
    async def delete(self, request: Request[DeleteBody]) -> dict[str, Any]:
        """End a device and its session."""
        device_id = request.params["device_id"]
        if not is_storable(device_id):
            raise NotFound("There is no such device")
        await self._delete(request, [device_id], request.body.auth)
        return {}

    @endpoint(
        "POST",
        client("/delete_devices"),
        auth=Auth.USER,
        body=DeleteManyBody,
        balance=Balance.USER,
        writes=_WRITES,
    )
    async def delete_many(self, request: Request[DeleteManyBody]) -> dict[str, Any]:
        """End several devices."""
        await self._delete(request, request.body.devices, request.body.auth)
        return {}

    async def _delete(self, request: Request[Any], device_ids: Sequence[str], auth: dict[str, Any] | None) -> None:
        operation = f"delete devices {_digest(device_ids)}"
        await self._uia.confirm_user(request.requester, auth, operation, may_be_skipped=True)
        await self._devices.delete(request.requester.user_id, device_ids)


def _digest(device_ids: Sequence[str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(set(device_ids)))).hexdigest()
