"""Backed-up keys as clients send and get them. Source: client-server API, "Server-side key backups"."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import orjson

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, TooLarge
from synapse_like.toolkit.http.texts import checked_text

MAX_SESSION_BYTES: Final = 65_536
_MAX_ID: Final = 255

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class KeyBody(msgspec.Struct):
    """A key."""

    first_message_index: Count
    forwarded_count: Count
    is_verified: bool
    session_data: dict[str, Any]


class RoomBody(msgspec.Struct):
    """The keys of a room, by session."""

    sessions: dict[str, KeyBody]


class RoomsBody(msgspec.Struct):
    """The keys of several rooms."""

    rooms: dict[str, RoomBody]


@dataclass(frozen=True, slots=True)
class BackedUpKey:
    """A row: a key of a session."""

    room_id: str
    session_id: str
    first_message_index: int
    forwarded_count: int
    is_verified: int
    session_data: str

    def as_json(self) -> bytes:
        """The key as clients get it."""
        return b'{"first_message_index":%d,"forwarded_count":%d,"is_verified":%s,"session_data":%s}' % (
            self.first_message_index,
            self.forwarded_count,
            b"true" if self.is_verified else b"false",
            self.session_data.encode(),
        )


def parsed(rooms: Mapping[str, Mapping[str, KeyBody]]) -> list[BackedUpKey]:
    """The keys of a request. Raises InvalidParam, TooLarge, UnsafeValue."""
    return [
        _parsed(room_id, session_id, key) for room_id, sessions in rooms.items() for session_id, key in sessions.items()
    ]


def sessions_json(keys: Iterable[BackedUpKey]) -> bytes:
    """The keys of one room."""
    return b'{"sessions":{%s}}' % b",".join(orjson.dumps(key.session_id) + b":" + key.as_json() for key in keys)


def rooms_json(keys: Iterable[BackedUpKey]) -> bytes:
    """The keys of all rooms."""
    rooms: dict[str, list[BackedUpKey]] = {}
    for key in keys:
        rooms.setdefault(key.room_id, []).append(key)
    parts = (orjson.dumps(room_id) + b":" + sessions_json(found) for room_id, found in rooms.items())
    return b'{"rooms":{%s}}' % b",".join(parts)


def _parsed(room_id: str, session_id: str, key: KeyBody) -> BackedUpKey:
    if not room_id or not session_id:
        raise InvalidParam("A room or session has no ID")
    text = canonical_json(key.session_data)
    if len(text) > MAX_SESSION_BYTES:
        raise TooLarge("The data of a session is too large")
    return BackedUpKey(
        checked_text("A room ID", room_id, _MAX_ID),
        checked_text("A session ID", session_id, _MAX_ID),
        key.first_message_index,
        key.forwarded_count,
        int(key.is_verified),
        text.decode(),
    )
