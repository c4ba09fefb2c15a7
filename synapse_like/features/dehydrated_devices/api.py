"""The endpoints of dehydrated devices. Source: MSC3814."""

from typing import Any, Final

import msgspec

from synapse_like.features.dehydrated_devices.logic import DehydratedDevices
from synapse_like.features.device_keys import Upload
from synapse_like.features.device_lists import DEVICE_LISTS
from synapse_like.features.one_time_keys import ONE_TIME_KEYS
from synapse_like.features.sessions import DEVICES
from synapse_like.toolkit.http.endpoint import Balance, endpoint
from synapse_like.toolkit.http.request import Request

_PATH: Final = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
_EVENTS: Final = _PATH + "/{device_id}/events"
_WRITES: Final = (DEVICES.name, DEVICE_LISTS.name, ONE_TIME_KEYS.name)


class PutBody(msgspec.Struct):
    """The device, its keys, and what a client needs to bring it back."""

    device_id: str
    device_data: dict[str, Any]
    device_keys: dict[str, Any]
    one_time_keys: dict[str, Any] | None = None
    fallback_keys: dict[str, Any] | None = None
    initial_device_display_name: str | None = None


class EventsBody(msgspec.Struct):
    """Where to go on."""

    next_batch: str | None = None


class DehydratedDevicesApi:
    """The endpoints."""

    def __init__(self, devices: DehydratedDevices) -> None:
        self._devices = devices

    @endpoint("PUT", _PATH, body=PutBody, balance=Balance.USER, writes=_WRITES)
    async def put(self, request: Request[PutBody]) -> dict[str, Any]:
        """Replace the dehydrated device."""
        body = request.body
        upload = Upload(body.device_keys, body.one_time_keys or {}, body.fallback_keys or {})
        name = body.initial_device_display_name
        await self._devices.put(request.requester.user_id, body.device_id, body.device_data, name, upload)
        return {"device_id": body.device_id}

    @endpoint("GET", _PATH, balance=Balance.USER)
    async def get(self, request: Request[Any]) -> dict[str, Any]:
        """The dehydrated device."""
        device_id, data = await self._devices.get(request.requester.user_id)
        return {"device_id": device_id, "device_data": msgspec.Raw(data.encode())}

    @endpoint("DELETE", _PATH, balance=Balance.USER, writes=_WRITES)
    async def delete(self, request: Request[Any]) -> dict[str, Any]:
        """End the dehydrated device."""
        return {"device_id": await self._devices.delete(request.requester.user_id)}

    @endpoint("POST", _EVENTS, body=EventsBody, balance=Balance.USER)
    async def post_events(self, request: Request[EventsBody]) -> dict[str, Any]:
        """What waits for the device."""
        return await self._events(request, request.body.next_batch)

    @endpoint("GET", _EVENTS, balance=Balance.USER)
    async def get_events(self, request: Request[Any]) -> dict[str, Any]:
        """The same, as matrix-js-sdk asks."""
        return await self._events(request, request.query.get("from", request.query.get("next_batch")))

    async def _events(self, request: Request[Any], since: str | None) -> dict[str, Any]:
        user_id, device_id = request.requester.user_id, request.params["device_id"]
        texts, next_batch = await self._devices.events(user_id, device_id, since)
        found: dict[str, Any] = {"events": [msgspec.Raw(text.encode()) for text in texts]}
        return found if next_batch is None else {**found, "next_batch": next_batch}
