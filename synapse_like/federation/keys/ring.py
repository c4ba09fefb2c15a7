"""The key ring: is this signed by the server that it is said to be of?"""

from collections.abc import Mapping, Sequence
from typing import Any

from synapse_like.federation.errors import BadServerSignature
from synapse_like.federation.keys.failures import Failure, Flaw
from synapse_like.matrix.events import Event


class KeyRing:
    """Verifies objects and events with the keys of their servers, which it knows, or finds out."""

    async def verify_json(self, server: str, value: Mapping[str, Any], *, valid_at_ms: int) -> None:
        """Raise BadServerSignature unless the object is signed by the server with a key valid at that time."""
        raise BadServerSignature()

    async def verify_events(self, events: Sequence[Event], *, with_hashes: bool = False) -> list[Failure]:
        """The events that must be dropped because of their signatures; with `with_hashes` also those that must be
        redacted because of their content hash (`Flaw.WRONG_HASH`). Events that are not among them are good.

        Checks all signatures that the room version asks for, with keys valid at the time of the event where it asks
        for that. Keys of all servers are fetched at once; the arithmetic is done in threads.
        """
        return [Failure(event, Flaw.NO_KEY, Flaw.NO_KEY.value) for event in events]
