"""The response as it is put together: lists of ready-made JSON, spliced into bytes at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

JSON = bytes


@dataclass(slots=True)
class JoinedRoom:
    """A joined room's part. Lists hold events as JSON bytes. `counts` are the unread notifications."""

    timeline: list[JSON] = field(default_factory=list)
    is_limited: bool = False
    prev_batch: str | None = None
    state: list[JSON] = field(default_factory=list)
    summary: dict[str, object] = field(default_factory=dict)
    ephemeral: list[JSON] = field(default_factory=list)
    account_data: list[JSON] = field(default_factory=list)
    counts: tuple[int, int] | None = None
    """(notification_count, highlight_count)"""
    thread_counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def is_empty(self) -> bool:
        """Whether there is nothing to tell; counts alone are something."""
        parts = (self.timeline, self.state, self.ephemeral, self.account_data, self.summary)
        return not any(parts) and self.counts is None and not self.thread_counts and not self.is_limited


@dataclass(slots=True)
class LeftRoom:
    """The part of a room that the user has left."""

    timeline: list[JSON] = field(default_factory=list)
    is_limited: bool = False
    prev_batch: str | None = None
    state: list[JSON] = field(default_factory=list)
    account_data: list[JSON] = field(default_factory=list)


@dataclass(slots=True)
class SyncResponse:
    """All parts. Sections add to them; a room is there as soon as somebody asks for its part."""

    joined_rooms: dict[str, JoinedRoom] = field(default_factory=dict)
    left_rooms: dict[str, LeftRoom] = field(default_factory=dict)
    invited_rooms: dict[str, list[JSON]] = field(default_factory=dict)
    knocked_rooms: dict[str, list[JSON]] = field(default_factory=dict)
    account_data: list[JSON] = field(default_factory=list)
    presence: list[JSON] = field(default_factory=list)
    to_device: list[JSON] = field(default_factory=list)
    device_lists_changed: list[str] = field(default_factory=list)
    device_lists_left: list[str] = field(default_factory=list)
    extras: dict[str, JSON] = field(default_factory=dict)
    """Further top-level keys, as JSON."""
    is_worth_telling: bool = False
    """Set by a section that wants an otherwise empty response to be sent."""

    def joined(self, room_id: str) -> JoinedRoom:
        """The part of a joined room."""
        return self.joined_rooms.setdefault(room_id, JoinedRoom())

    def is_empty(self) -> bool:
        """Whether a long poll goes on waiting."""
        for room_id in [room_id for room_id, room in self.joined_rooms.items() if room.is_empty()]:
            del self.joined_rooms[room_id]
        parts = (
            self.joined_rooms,
            self.left_rooms,
            self.invited_rooms,
            self.knocked_rooms,
            self.account_data,
            self.presence,
            self.to_device,
            self.device_lists_changed,
            self.device_lists_left,
        )
        return not any(parts) and not self.is_worth_telling

    def encode(self, next_batch: str, *, state_key: bytes = b"state") -> bytes:
        """The whole response as JSON bytes; `state_key` is `state` or `state_after`."""
        parts = [b'{"next_batch":', orjson.dumps(next_batch)]
        parts += _events(b"account_data", self.account_data)
        parts += _events(b"presence", self.presence)
        parts += _events(b"to_device", self.to_device)
        if self.device_lists_changed or self.device_lists_left:
            lists = {"changed": self.device_lists_changed, "left": self.device_lists_left}
            parts += [b',"device_lists":', orjson.dumps(lists)]
        for name, value in self.extras.items():
            parts += [b",", orjson.dumps(name), b":", value]
        parts += self._rooms(state_key)
        parts.append(b"}")
        return b"".join(parts)

    def _rooms(self, state_key: bytes) -> list[bytes]:
        kinds = [
            (b"join", {room_id: _joined(room, state_key) for room_id, room in self.joined_rooms.items()}),
            (b"invite", {r: _stripped(b"invite_state", state) for r, state in self.invited_rooms.items()}),
            (b"knock", {r: _stripped(b"knock_state", state) for r, state in self.knocked_rooms.items()}),
            (b"leave", {room_id: _left(room, state_key) for room_id, room in self.left_rooms.items()}),
        ]
        shown = [b'"%s":{%s}' % (name, _members(rooms)) for name, rooms in kinds if rooms]
        return [b',"rooms":{', b",".join(shown), b"}"] if shown else []


def _members(rooms: dict[str, bytes]) -> bytes:
    return b",".join(orjson.dumps(room_id) + b":" + body for room_id, body in rooms.items())


def _events(name: bytes, events: Sequence[JSON]) -> list[bytes]:
    return [b',"', name, b'":{"events":[', b",".join(events), b"]}"] if events else []


def _timeline(room: JoinedRoom | LeftRoom) -> bytes:
    prev_batch = b',"prev_batch":' + orjson.dumps(room.prev_batch) if room.prev_batch is not None else b""
    limited = b"true" if room.is_limited else b"false"
    return b'{"events":[%s],"limited":%s%s}' % (b",".join(room.timeline), limited, prev_batch)


def _joined(room: JoinedRoom, state_key: bytes) -> bytes:
    parts = [b'{"timeline":', _timeline(room)]
    parts += [b',"', state_key, b'":{"events":[', b",".join(room.state), b"]}"]
    parts += [b',"ephemeral":{"events":[', b",".join(room.ephemeral), b"]}"]
    parts += [b',"account_data":{"events":[', b",".join(room.account_data), b"]}"]
    parts += [b',"summary":', orjson.dumps(room.summary)]
    if room.counts is not None:
        parts += [b',"unread_notifications":', _counts(room.counts)]
    if room.thread_counts:
        threads = {thread: _counts(counts) for thread, counts in room.thread_counts.items()}
        parts += [b',"unread_thread_notifications":{', _members(threads), b"}"]
    parts.append(b"}")
    return b"".join(parts)


def _counts(counts: tuple[int, int]) -> bytes:
    return b'{"notification_count":%d,"highlight_count":%d}' % counts


def _left(room: LeftRoom, state_key: bytes) -> bytes:
    parts = [b'{"timeline":', _timeline(room), b',"', state_key, b'":{"events":[', b",".join(room.state), b"]}"]
    parts += [b',"account_data":{"events":[', b",".join(room.account_data), b"]}}"]
    return b"".join(parts)


def _stripped(name: bytes, state: Sequence[JSON]) -> bytes:
    return b'{"%s":{"events":[%s]}}' % (name, b",".join(state))
