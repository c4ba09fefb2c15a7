"""Messages to devices, and the values around them."""

from typing import Final

import msgspec

from replication.streams import Fact

EVERY_DEVICE: Final = "*"


class Transaction(msgspec.Struct, frozen=True):
    """What a request is known by: it brings its messages once, however often it comes.

    For messages of another server `device_id` is empty and `transaction_id` the EDU's `message_id`.
    """

    sender: str
    device_id: str
    transaction_id: str


class ToDeviceFact(Fact):
    """A message for a device of a user, or for `EVERY_DEVICE` that the user has at the time.

    `transaction` and `sent_ms` are known until the fact is stored, and told to those who hear of it at once.
    """

    user_id: str
    device_id: str
    json: str
    """The event as the client gets it."""
    transaction: Transaction | None = None
    sent_ms: int = 0


class AlreadyDelivered(Exception):
    """A user has had the messages of a request."""


Messages = dict[str, str]
"""Device (or `EVERY_DEVICE`) → the event as JSON."""
