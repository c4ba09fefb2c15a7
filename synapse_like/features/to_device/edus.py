"""Messages to devices of other servers' users, and from those: m.direct_to_device.

They are stored until the other server has acknowledged them, and go out in order; their ids let the other side notice
what is brought again. Source: server-server API, "Send-to-device messaging".
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from synapse_like.features.to_device.facts import Transaction
from synapse_like.features.to_device.logic import Contents, ToDevice
from synapse_like.federation.edu_fields import text, user_of
from synapse_like.federation.edus import EduReceiver
from synapse_like.federation.outbound import Outbox
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import BadJson
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.db import Database

DIRECT_TO_DEVICE: Final = "m.direct_to_device"
EDU_BYTES: Final = 60_000
"""What one EDU may hold, if it is more than one message."""


class OutgoingMessages:
    """Takes messages over to other servers (`RemoteInboxes`)."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def send(self, transaction: Transaction, kind: str, contents: Contents) -> None:
        """Store the messages for their servers; the same request makes the same ids again."""
        by_server: dict[str, dict[str, Mapping[str, Any]]] = {}
        for user_id, devices in contents.items():
            if devices:
                by_server.setdefault(server_of(user_id), {})[user_id] = devices
        edus = [
            (server, DIRECT_TO_DEVICE, _edu(transaction, kind, number, messages))
            for server, users in by_server.items()
            for number, messages in enumerate(_portions(users))
        ]
        rows = self._outbox.rows(edus)
        if rows:
            await self._database.write(lambda txn: self._outbox.store(txn, rows))
            self._outbox.wake(by_server)


def receiver(to_device: ToDevice) -> EduReceiver:
    """Takes in messages from other servers."""

    async def receive(origin: str, content: dict[str, Any]) -> None:
        sender = user_of(origin, content.get("sender"))
        messages = content.get("messages")
        if not isinstance(messages, dict) or not all(isinstance(devices, dict) for devices in messages.values()):
            raise BadJson("messages must be an object of objects")
        await to_device.receive(origin, sender, text(content, "type"), text(content, "message_id"), messages)

    return EduReceiver(DIRECT_TO_DEVICE, receive)


def _edu(transaction: Transaction, kind: str, number: int, messages: Mapping[str, Any]) -> dict[str, Any]:
    key = "\0".join((transaction.sender, transaction.device_id, transaction.transaction_id, kind, str(number)))
    message_id = sha256(key.encode(errors="replace")).hexdigest()[:32]
    return {"sender": transaction.sender, "type": kind, "message_id": message_id, "messages": messages}


def _portions(users: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    """The messages, in portions of about `EDU_BYTES`."""
    portion: dict[str, dict[str, Any]] = {}
    size = 0
    for user_id, devices in users.items():
        for device_id, content in devices.items():
            length = len(canonical_json({device_id: content}))
            if portion and size + length > EDU_BYTES:
                yield portion
                portion, size = {}, 0
            portion.setdefault(user_id, {})[device_id] = content
            size += length + len(user_id)
    if portion:
        yield portion
