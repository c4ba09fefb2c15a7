"""Sending messages to devices: each to the log of the user who gets it, once."""

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from replication.log import Pair
from replication.owned import owned
from replication.shards import NotOwned
from synapse_like.features.accounts import Accounts
from synapse_like.features.to_device import sql
from synapse_like.features.to_device.deliveries import Deliveries
from synapse_like.features.to_device.facts import AlreadyDelivered, Messages, ToDeviceFact, Transaction
from synapse_like.features.to_device.stream import TO_DEVICE
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, TooLarge
from synapse_like.matrix.ids import parse_user_id
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http.texts import checked_text
from synapse_like.toolkit.locks import KeyedLocks
from synapse_like.toolkit.together import together

MAX_MESSAGE_BYTES: Final = 65_536
MAX_MESSAGES: Final = 10_000
"""How many messages one request may bring."""
INBOX_LIMIT: Final = 20_000
"""How many messages may wait for a device; the oldest go first."""
_MAX_ID: Final = 255

logger = logging.getLogger(__name__)

Contents = Mapping[str, Mapping[str, Any]]
"""User → device (or `EVERY_DEVICE`) → content."""


class RemoteInboxes(Protocol):
    """Devices of other servers' users: federation, when it is there."""

    async def send(self, transaction: Transaction, kind: str, contents: Contents) -> None:
        """Take messages over to other servers; a repeat of the transaction brings nothing twice."""
        ...


class ToDevice:
    """Sends to devices.

    `remote` takes what is for users of other servers; what they send goes into `receive`.
    """

    def __init__(
        self, database: Database, log: UserLog, accounts: Accounts, clock: Clock, server_name: str, sent: Deliveries
    ) -> None:
        self.remote: RemoteInboxes | None = None
        self._database = database
        self._log = log
        self._accounts = accounts
        self._clock = clock
        self._server_name = server_name
        self._sent = sent
        self._locks = KeyedLocks()

    async def send(self, transaction: Transaction, kind: str, contents: Contents) -> None:
        """Send messages of a local user; a repeat of the transaction is harmless.

        Raises InvalidParam, TooLarge. Devices and users that do not exist are left out.
        """
        local, remote = self._sorted(contents)
        messages = {user_id: _rendered(transaction.sender, kind, local[user_id]) for user_id in local}
        async with self._locks.hold(transaction):
            done = await self._sent.of(transaction)
            await self._deliver_all(transaction, messages, done)
            if remote and self.remote is not None:
                await self.remote.send(transaction, kind, remote)

    async def receive(self, origin: str, sender: str, kind: str, message_id: str, contents: Contents) -> None:
        """Messages that another server brings for users of ours. Raises InvalidParam, TooLarge.

        `origin` is the server that was authenticated; messages of users of another one are refused.
        """
        if parse_user_id(sender)[1] != origin:
            raise InvalidParam("The sender is not a user of that server")
        transaction = Transaction(sender, "", checked_text("message_id", message_id, _MAX_ID))
        local, _ = self._sorted(contents)
        messages = {user_id: _rendered(sender, kind, local[user_id]) for user_id in local}
        async with self._locks.hold(transaction):
            await self._deliver_all(transaction, messages, await self._sent.of(transaction))

    @owned(USER, "user_id")
    async def deliver(self, user_id: str, transaction: Transaction, messages: Messages) -> None:
        """Lay messages into the inboxes of one user, unless this request has done so before."""
        try:
            await self._log.append(user_id, _facts(user_id, transaction, messages, self._clock.now_ms()))
        except AlreadyDelivered:
            return

    async def waiting(self, user_id: str, device_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """(number, event as JSON) of what waits for a device after a number."""
        return await self._database.read(lambda txn: sql.waiting(txn, user_id, device_id, after, limit))

    async def remove(self, user_id: str, device_id: str, upto: int) -> None:
        """A device has what came up to a number."""
        await self._database.write(lambda txn: sql.remove(txn, [(user_id, device_id, upto)]))

    async def trim(self) -> None:
        """Shorten inboxes that nobody empties."""
        for user_id, device_id, count in await self._database.read(lambda txn: sql.sizes(txn, INBOX_LIMIT, 100)):
            logger.warning("%d messages wait for device %s of %s: dropping the oldest", count, device_id, user_id)
            await self._database.write(
                lambda txn, user=user_id, device=device_id: sql.trim(txn, user, device, INBOX_LIMIT)  # type: ignore[misc]
            )

    async def _deliver_all(self, transaction: Transaction, messages: Mapping[str, Messages], done: set[str]) -> None:
        """To all users who have not had them, at once, so that one commit serves many."""
        known = await self._accounts.existing(messages)
        due = [user_id for user_id in messages if user_id in known and user_id not in done and messages[user_id]]
        now_ms = self._clock.now_ms()
        facts = {user_id: _facts(user_id, transaction, messages[user_id], now_ms) for user_id in due}
        refused = await self._log.append_each(facts)
        for error in refused.values():
            if not isinstance(error, NotOwned | AlreadyDelivered):
                raise error
        await together(self.deliver(user_id, transaction, messages[user_id]) for user_id in refused)
        done.update(due)

    def _sorted(self, contents: Contents) -> tuple[Contents, Contents]:
        """Of users of ours, and of others. Raises InvalidParam."""
        if sum(len(devices) for devices in contents.values()) > MAX_MESSAGES:
            raise InvalidParam(f"At most {MAX_MESSAGES} messages may be sent at once")
        local, remote = {}, {}
        for user_id, devices in contents.items():
            if user_id.startswith("@") and user_id.partition(":")[2] == self._server_name:
                local[user_id] = devices  # an odd id finds nobody
            else:
                parse_user_id(user_id)
                remote[user_id] = devices
        return local, remote


def _facts(user_id: str, transaction: Transaction, messages: Messages, sent_ms: int) -> list[Pair]:
    return [
        (
            TO_DEVICE,
            ToDeviceFact(user_id=user_id, device_id=each, json=text, transaction=transaction, sent_ms=sent_ms),
        )
        for each, text in messages.items()
    ]


def _rendered(sender: str, kind: str, contents: Mapping[str, Any]) -> Messages:
    """The events as clients get them. A device that is named is not sent what is for all as well."""
    found = {}
    for device_id, content in contents.items():
        if not isinstance(content, dict):
            raise InvalidParam("The content of a message must be an object")
        text = canonical_json({"content": content, "sender": sender, "type": kind})
        if len(text) > MAX_MESSAGE_BYTES:
            raise TooLarge("A message to a device is too large")
        found[checked_text("A device ID", device_id, 512)] = text.decode()
    return found
