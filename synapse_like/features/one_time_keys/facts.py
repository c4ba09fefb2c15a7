"""What happens to one-time keys, and the values around it."""

from typing import Any, Final

import msgspec

from replication.streams import Fact

MAX_UPLOADED: Final = 500
"""How many keys one request may bring."""


class Key(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A one-time or fallback key: `json` is what stands behind ``algorithm:key_id``."""

    algorithm: str
    key_id: str
    json: str


class OneTimeKeysFact(Fact):
    """A device's stock of keys has changed: some were uploaded, or one was asked for.

    What is given out is decided in the transaction that stores the fact, so that no key is given out twice whoever
    asks: `taken` is filled in there, as are the counts.
    """

    user_id: str
    device_id: str
    wanted: str = ""
    """The algorithm of the key that somebody asks for."""
    taken: Key | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    unused: tuple[str, ...] = ()


class Stock(msgspec.Struct, frozen=True):
    """What a device has: how many keys of each algorithm, and for which its fallback key is unused."""

    number: int
    counts: dict[str, int]
    unused: tuple[str, ...]


Keys = dict[str, Any]
"""Algorithm and id, as in ``signed_curve25519:AAAAHg`` → the key as JSON."""
