"""Events as clients see them, written once and finished for each reader by splicing bytes.

Here: the bytes of an event in the client format (with or without `room_id`), in the federation format that a filter may
ask for, and as stripped state. What depends on the reader or the time goes into `unsigned`, which is the last key, so
finishing an event is joining bytes. Not here: who may see what; callers hand in only what the reader may see.
Source: Client-Server API, "Room event format", "Stripped state", "Filtering" (`event_format`); MSC2174 for `redacts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from synapse_like.matrix.events import Event


class ClientJSON:
    """The JSON of one event, open at its end for `unsigned`. Made once per process and shared by all readers.

    `prev_content` and `replaces_state` tell of the state event that this one replaced; they are the same for everybody,
    but who could not see that event is not shown its content (`splice`).
    """

    __slots__ = ("_prev_content", "_replaces_state", "_room_id", "_sent_ms", "sync")

    sync: bytes
    """Everything but `room_id` and `unsigned`, without the closing brace."""

    def __init__(
        self, event: Event, *, prev_content: Mapping[str, Any] | None = None, replaces_state: str | None = None
    ) -> None:
        self.sync = _to_bytes(_client_fields(event))[:-1]
        self._room_id = b',"room_id":' + _to_bytes(event.room_id)
        self._sent_ms = event.origin_server_ts
        self._prev_content = _member("prev_content", prev_content)
        self._replaces_state = _member("replaces_state", replaces_state)

    @classmethod
    def in_federation_format(cls, event: Event) -> ClientJSON:
        """Return the event as other servers get it, with its id and room: the same bytes in both forms."""
        raw = cls(event)
        fields = {**event.pdu, "event_id": event.event_id, "room_id": event.room_id}
        fields.pop("unsigned", None)
        raw.sync = _to_bytes(fields)[:-1]
        raw._room_id = b""
        return raw

    @property
    def room(self) -> bytes:
        """Everything but `unsigned`, without the closing brace."""
        return self.sync + self._room_id

    def open_ends(self) -> tuple[bytes, int, bytes]:
        """The event with its room up to the age, when it was sent (ms), and what follows the age for everybody."""
        return self.room + b',"unsigned":{"age":', self._sent_ms, self._replaces_state + self._prev_content

    def splice(
        self,
        now_ms: int,
        *,
        has_room_id: bool = False,
        transaction_id: str | None = None,
        membership: str | None = None,
        relations: bytes | None = None,
        redacted_because: bytes | None = None,
        shows_prev_content: bool = True,
    ) -> bytes:
        """Return the event finished for one reader.

        `has_room_id` is for answers that do not say the room otherwise (all but `/sync`). `transaction_id` is for the
        device that sent the event, `membership` the reader's own at the event. `relations` is the JSON of
        `m.relations`, `redacted_because` that of the redaction, finished for the reader too.
        """
        age = b',"unsigned":{"age":%d' % (now_ms - self._sent_ms)
        parts = [self.sync, self._room_id if has_room_id else b"", age, self._replaces_state]
        if shows_prev_content:
            parts.append(self._prev_content)
        if transaction_id is not None:
            parts.append(_member("transaction_id", transaction_id))
        if membership is not None:
            parts.append(_MEMBERSHIPS.get(membership) or _member("membership", membership))
        if relations is not None:
            parts += (b',"m.relations":', relations)
        if redacted_because is not None:
            parts += (b',"redacted_because":', redacted_because)
        parts.append(b"}}")
        return b"".join(parts)


def stripped(event: Event) -> bytes:
    """Return a state event as somebody sees it who is invited or knocks: type, state key, sender and content."""
    return _to_bytes(
        {"type": event.type, "state_key": event.state_key, "sender": event.sender, "content": event.content}
    )


def _client_fields(event: Event) -> dict[str, Any]:
    """Return the fields that are the same for every reader; the target of a redaction is shown in both its places."""
    fields: dict[str, Any] = {
        "type": event.type,
        "sender": event.sender,
        "content": event.content,
        "event_id": event.event_id,
        "origin_server_ts": event.origin_server_ts,
    }
    if event.state_key is not None:
        fields["state_key"] = event.state_key
    if event.redacts is not None:
        fields["redacts"] = event.redacts
        fields["content"] = {**event.content, "redacts": event.redacts}
    return fields


def _member(key: str, value: object) -> bytes:
    """Return one member of an object with the comma before it; nothing if there is no value."""
    return b"" if value is None else b',"' + key.encode() + b'":' + _to_bytes(value)


_MEMBERSHIPS = {name: b',"membership":"%b"' % name.encode() for name in ("join", "invite", "knock", "leave", "ban")}


def _to_bytes(value: object) -> bytes:
    """Write JSON. Old rooms may hold integers of any size and half surrogates, which only the slow writer takes."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
