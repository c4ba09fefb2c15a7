"""An event: a PDU with its id, its room and the fields that everything asks for.

Here lives the class, made from a PDU of another server (checked) or of our own database (trusted). New local events
are built and signed in `signatures`; what clients are shown of an event is made elsewhere.
Source: Room Versions, "Event format" and "Event IDs".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from sys import intern
from typing import Any

from synapse_like.matrix.canonical_json import canonical_json, parsed
from synapse_like.matrix.event_checks import check_pdu
from synapse_like.matrix.hashes import event_id_of_hash, reference_hash
from synapse_like.matrix.ids import EventID, RoomID, UserID
from synapse_like.matrix.redaction import redact
from synapse_like.matrix.room_versions import RoomVersion


class Event:
    """One event of a room. Nobody changes it after it is made, except for `rejected`.

    * `pdu` is what is stored and sent to other servers: without `unsigned`, and without `event_id` from version 3 on;
    * `prev_event_ids`, `auth_event_ids` are the ids that the PDU lists (for the create event that version 12 implies
      see `auth_references`);
    * `redacts` is the target of a redaction, wherever the version puts it; None for other types;
    * `state_key` is None for an event that is no state;
    * `rejected` is set when the authorization rules refused the event.

    Events are equal if their ids are.
    """

    __slots__ = (
        "_encoded",
        "_pdu",
        "auth_event_ids",
        "content",
        "depth",
        "event_id",
        "origin_server_ts",
        "prev_event_ids",
        "redacts",
        "rejected",
        "room_id",
        "room_version",
        "sender",
        "state_key",
        "type",
    )

    def __init__(self, event_id: EventID, pdu: dict[str, Any], version: RoomVersion, encoded: bytes | None) -> None:
        """Use `from_pdu` or `restored` instead; `encoded` is the canonical JSON of `pdu` if it is at hand."""
        self.event_id = event_id
        self._pdu: dict[str, Any] | None = pdu
        self.room_version = version
        self.rejected = False
        self._encoded = encoded
        self.type: str = pdu["type"]
        self.sender: UserID = pdu["sender"]
        self.state_key: str | None = pdu.get("state_key")
        self.content: dict[str, Any] = pdu["content"]
        self.origin_server_ts: int = pdu["origin_server_ts"]
        self.depth: int = pdu["depth"]
        self.room_id = self._find_room_id()
        self.prev_event_ids = _ids_of(pdu["prev_events"], version)
        self.auth_event_ids = _ids_of(pdu["auth_events"], version)
        self.redacts = self._find_target() if self.type == "m.room.redaction" else None

    @classmethod
    def from_pdu(cls, pdu: Mapping[str, Any], version: RoomVersion) -> Event:
        """The event of a PDU from outside, after the checks of `event_checks`; `unsigned` is left behind.

        Its id is the reference hash, or from the PDU in versions 1 and 2. Neither signatures nor the content hash are
        checked here. Raises `BadJson` for a wrong shape and `TooLarge`.
        """
        encoded = check_pdu(pdu, version)
        kept = {key: value for key, value in pdu.items() if key != "unsigned"}
        return cls(event_id_of_pdu(kept, version), kept, version, encoded)

    @classmethod
    def restored(cls, event_id: str, pdu: dict[str, Any], version: RoomVersion, encoded: bytes | None = None) -> Event:
        """The event of a PDU that this server has stored: nothing is hashed or checked."""
        return cls(EventID(event_id), pdu, version, encoded)

    @classmethod
    def recalled(cls, event_id: str, text: str, version: RoomVersion) -> Event:
        """The event of JSON that this server has stored, to be kept with many others: put aside, and what the events of
        a room have in common is in memory once.
        """
        event = cls(EventID(event_id), parsed(text), version, text.encode())
        event.type = intern(event.type)
        event.sender = UserID(intern(event.sender))
        event.room_id = RoomID(intern(event.room_id))
        event.auth_event_ids = tuple([EventID(intern(each)) for each in event.auth_event_ids])
        return event.put_aside()

    def _find_room_id(self) -> RoomID:
        """The room, which for the create event of version 12 is the event id with another sigil (MSC4291)."""
        if self.room_version.domainless_room_id and self.is_create:
            return RoomID("!" + self.event_id[1:])
        return RoomID(self.pdu["room_id"])

    def _find_target(self) -> EventID | None:
        place = self.content if self.room_version.redacts_in_content else self.pdu
        target = place.get("redacts")
        return EventID(target) if isinstance(target, str) else None

    @property
    def pdu(self) -> dict[str, Any]:
        """The PDU; read anew at each question once it was put aside."""
        if self._pdu is not None:
            return self._pdu
        pdu: dict[str, Any] = parsed(self.encoded.decode())
        return pdu

    def put_aside(self) -> Event:
        """Keep no more of the PDU than its JSON and the fields: for events that stay in memory."""
        if self._encoded is not None:
            self._pdu = None
        return self

    @property
    def is_state(self) -> bool:
        """Whether the event is state: it has a state key, be it empty."""
        return self.state_key is not None

    @property
    def is_create(self) -> bool:
        """Whether this is the event that made the room."""
        return self.type == "m.room.create" and self.state_key == ""

    @property
    def key(self) -> tuple[str, str]:
        """Type and state key of a state event; raises `ValueError` for any other."""
        if self.state_key is None:
            raise ValueError(f"{self.event_id} is not a state event")
        return self.type, self.state_key

    @property
    def membership(self) -> str | None:
        """The membership that an m.room.member event gives to its state key; None for other types and bad values."""
        if self.type != "m.room.member":
            return None
        membership = self.content.get("membership")
        return membership if isinstance(membership, str) else None

    @property
    def create_event_id(self) -> EventID | None:
        """The id of the create event that the room id implies (version 12); None before and on the create event."""
        if not self.room_version.domainless_room_id or self.is_create:
            return None
        return EventID("$" + self.room_id[1:])

    @property
    def auth_references(self) -> tuple[EventID, ...]:
        """All edges of the auth graph: `auth_event_ids`, and in version 12 the create event of the room."""
        implied = self.create_event_id
        if implied is None or implied in self.auth_event_ids:
            return self.auth_event_ids
        return (*self.auth_event_ids, implied)

    @property
    def reference(self) -> Any:
        """What other events' `prev_events` and `auth_events` hold for this one.

        A plain id from version 3 on, the pair `[id, {"sha256": reference hash}]` before.
        """
        if not self.room_version.has_chosen_event_ids:
            return self.event_id
        digest = b64encode(reference_hash(self.pdu, self.room_version)).rstrip(b"=").decode()
        return [self.event_id, {"sha256": digest}]

    @property
    def encoded(self) -> bytes:
        """The canonical JSON of `pdu`: what is stored and sent to other servers. Written at most once."""
        if self._encoded is None:
            self._encoded = canonical_json(self._pdu)
        return self._encoded

    def redacted(self) -> Event:
        """The same event with its content redacted: same id, and its signatures still verify."""
        event = Event(self.event_id, redact(self.pdu, self.room_version), self.room_version, None)
        event.rejected = self.rejected
        return event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.event_id == other.event_id

    def __hash__(self) -> int:
        return hash(self.event_id)

    def __repr__(self) -> str:
        key = "" if self.state_key is None else f" {self.state_key!r}"
        return f"<Event {self.event_id} {self.type}{key}>"


def event_id_of_pdu(pdu: Mapping[str, Any], version: RoomVersion) -> EventID:
    """The id of a PDU of the right shape: a field in versions 1 and 2, the reference hash after."""
    if version.has_chosen_event_ids:
        return EventID(pdu["event_id"])
    return event_id_of_hash(reference_hash(pdu, version), version)


def _ids_of(references: list[Any], version: RoomVersion) -> tuple[EventID, ...]:
    if version.has_chosen_event_ids:
        return tuple(pair[0] for pair in references)
    return tuple(references)
