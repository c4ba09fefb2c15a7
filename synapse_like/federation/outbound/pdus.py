"""Which events this server passes on to others, and what of them it sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import EventFact, Kind
from synapse_like.rooms.hosts import server_of

FORWARD: Final = "forward"
"""In an event's `extras`: it came from another server that asked us to tell the rest of the room (send_join etc.)."""


@dataclass(frozen=True, slots=True, eq=False)
class Pdu:
    """An event on its way: its number, and what is sent. One object for all destinations."""

    number: int
    room_id: str
    event_id: str
    json: bytes
    """Canonical JSON."""


def pdu_of_fact(fact: EventFact) -> Pdu:
    """The event that has just happened, as other servers get it."""
    return pdu_of(fact.event, fact.number)


def pdu_of(event: Event, number: int) -> Pdu:
    """An event as other servers get it."""
    return Pdu(number, event.room_id, event.event_id, event.encoded)


def is_ours_to_send(event: Event, kind: Kind, extras: Mapping[str, Any] | None, server_name: str) -> bool:
    """Whether other servers hear of an event from us."""
    if kind is not Kind.LIVE:
        return False
    return server_of(event.sender) == server_name or bool(extras and extras.get(FORWARD))


def addressee(fact: EventFact) -> str | None:
    """The server of the user whose membership an event changes: it hears of it even if it is not in the room.

    So a server learns that an invite was taken back. Invites themselves go another way.
    """
    event = fact.event
    if event.type != "m.room.member" or event.state_key is None or event.membership not in ("leave", "ban"):
        return None
    return server_of(event.state_key) or None
