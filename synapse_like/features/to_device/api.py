"""PUT /sendToDevice. Source: client-server API, "Send-to-Device messaging"."""

from typing import Any

import msgspec

from synapse_like.features.to_device.facts import Transaction
from synapse_like.features.to_device.logic import ToDevice
from synapse_like.features.to_device.stream import TO_DEVICE
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.texts import checked_text

_MAX_NAME = 255
_LIMIT_BYTES = 10 * 1024 * 1024


class SendBody(msgspec.Struct):
    """The body: user → device → content."""

    messages: dict[str, dict[str, dict[str, Any]]]


class ToDeviceApi:
    """The endpoint."""

    def __init__(self, to_device: ToDevice) -> None:
        self._to_device = to_device

    @endpoint(
        "PUT",
        client("/sendToDevice/{event_type}/{transaction_id}"),
        auth=Auth.GUEST,
        body=SendBody,
        balance=Balance.USER,
        writes=(TO_DEVICE.name,),
        limit_bytes=_LIMIT_BYTES,
    )
    async def send(self, request: Request[SendBody]) -> dict[str, Any]:
        """Send messages to devices of users."""
        who = request.requester
        transaction_id = checked_text("A transaction ID", request.params["transaction_id"], _MAX_NAME)
        kind = checked_text("An event type", request.params["event_type"], _MAX_NAME)
        transaction = Transaction(who.user_id, who.device_id or "", f"{kind}/{transaction_id}")
        await self._to_device.send(transaction, kind, request.body.messages)
        return {}
