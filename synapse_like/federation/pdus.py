"""PDUs of other servers become events: format and size, signatures, and the content hash.

Whether an event fits into its room is for the room's owner to say. Source: server-server API, "Checks performed on
receipt of a PDU", points 1 to 3.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synapse_like.federation.keys import Flaw, KeyName, KeyRing, ServerKey, Sources
from synapse_like.matrix.errors import BadJson, MatrixError
from synapse_like.matrix.events import Event, event_id_of_pdu
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.toolkit.clock import Clock

logger = logging.getLogger(__name__)

_READ_AT_ONCE = 50
_LONGEST_REASON = 300
_SHOWN_REASONS = 5


@dataclass(slots=True)
class Read:
    """What became of PDUs: events that may be used, and why the others may not, by id as far as they have one."""

    events: list[Event] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class PduReader:
    """Reads and verifies PDUs."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def read(self, pdus: Sequence[Any], version: RoomVersion, *, room_id: str | None = None) -> Read:
        """The events of PDUs; those with a wrong content hash are redacted. With `room_id` others are left out."""
        read = Read()
        events = []
        for index, pdu in enumerate(pdus, 1):
            event = parse(pdu, version, read.refused)
            if event is not None and (room_id is None or event.room_id == room_id):
                events.append(event)
            if index % _READ_AT_ONCE == 0:
                await self._clock.sleep(0)
        read.events = await self.verified(events, read.refused)
        return read

    async def verifier(self, needed: Mapping[KeyName, int]) -> Callable[[Sequence[Event]], Awaitable[list[Event]]]:
        """What verifies the events of a large reply part by part: the keys that it needs are found now, all at once."""
        keys = await self._keys.find_keys(needed, Sources.NOTARIES_FIRST)

        async def verify(events: Sequence[Event]) -> list[Event]:
            refused: dict[str, str] = {}
            verified = await self.verified(events, refused, keys)
            if refused:
                some = dict(list(refused.items())[:_SHOWN_REASONS])
                logger.info("%d events of a room that we join are refused: %s", len(refused), some)
            return verified

        return verify

    async def verified(
        self, events: Sequence[Event], refused: dict[str, str], keys: Mapping[KeyName, ServerKey] | None = None
    ) -> list[Event]:
        """The events whose signatures are good, redacted where their content hash is wrong."""
        if not events:
            return []
        bad: set[str] = set()
        redacted: set[str] = set()
        for failure in await self._keys.verify_events(events, with_hashes=True, keys=keys):
            if failure.flaw is Flaw.WRONG_HASH:
                redacted.add(failure.event.event_id)
            else:
                bad.add(failure.event.event_id)
                refused[failure.event.event_id] = failure.reason[:_LONGEST_REASON]
        return [e.redacted() if e.event_id in redacted else e for e in events if e.event_id not in bad]


def parse(pdu: Any, version: RoomVersion, refused: dict[str, str]) -> Event | None:
    """The event of a PDU, nothing of it verified; None for what is no event, with the reason in `refused`."""
    if not isinstance(pdu, dict):
        return None
    try:
        event = Event.from_pdu(pdu, version)
        if any("\0" in text for text in (event.event_id, event.type, event.state_key or "")):
            raise BadJson("NUL has no place in identifiers")
        return event
    except (MatrixError, RecursionError) as error:
        event_id = id_of(pdu, version)
        if event_id is not None:
            refused[event_id] = str(error)[:_LONGEST_REASON]
        return None


def id_of(pdu: Mapping[str, Any], version: RoomVersion) -> str | None:
    """The id of a PDU that may be of any shape; None if it has none."""
    try:
        event_id: Any = event_id_of_pdu(pdu, version)
    except (MatrixError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return event_id if _is_id(event_id) else None


def ids_in(value: Any, most: int) -> list[str]:
    """The event ids in a list that another server sent."""
    found: Iterable[Any] = value if isinstance(value, list) else ()
    return list(dict.fromkeys(each for each in found if _is_id(each)))[:most]


def _is_id(value: Any) -> bool:
    """Whether this can be an event id: a text that the database and JSON can hold."""
    if not isinstance(value, str) or not value.startswith("$") or len(value) > 255 or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
