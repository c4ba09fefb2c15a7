"""Spaces of which this server knows nothing itself: asked of the servers that their parents name, kept for minutes."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.federation.client import FederationClient, path_of
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.shared import SharedWork

KEPT_MS: Final = 5 * 60_000
MOST_KEPT: Final = 500
MOST_SERVERS: Final = 3
"""How many servers are asked for one room."""
_TIMEOUT_S: Final = 15.0
_TEXTS: Final = (
    "name",
    "topic",
    "canonical_alias",
    "avatar_url",
    "join_rule",
    "room_type",
    "encryption",
    "room_version",
)

Json = dict[str, Any]
_Question = tuple[str, bool, tuple[str, ...]]
"""Room, only suggested children, servers that are asked: what one says is not passed off as the word of another."""


@dataclass(frozen=True, slots=True)
class RemoteSpace:
    """What another server says: the room with its `children_state`, and the children that it knows, by id."""

    room: Json
    children: dict[str, Json]


class RemoteSpaces:
    """Asks other servers."""

    def __init__(self, client: FederationClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: OrderedDict[_Question, tuple[int, RemoteSpace | None]] = OrderedDict()
        self._asking: SharedWork[_Question, RemoteSpace | None] = SharedWork()

    async def get(self, room_id: str, via: Iterable[Any], *, is_suggested_only: bool) -> RemoteSpace | None:
        """A room of other servers; None if nobody tells of it."""
        servers = tuple(each for each in via if isinstance(each, str) and is_valid_server_name(each))[:MOST_SERVERS]
        key = room_id, is_suggested_only, servers
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic_ms():
            return kept[1]
        found = await self._asking.run(key, lambda: self._ask(room_id, servers, is_suggested_only))
        self._kept[key] = self._clock.monotonic_ms() + KEPT_MS, found
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    async def _ask(self, room_id: str, servers: Iterable[str], is_suggested_only: bool) -> RemoteSpace | None:
        path = path_of("/_matrix/federation/v1/hierarchy", room_id)
        query = {"suggested_only": "true" if is_suggested_only else "false"}
        for server in servers:
            try:
                answer = await self._client.get(server, path, query, timeout_s=_TIMEOUT_S)
            except MatrixError:
                continue
            if (found := _read(room_id, answer)) is not None:
                return found
        return None


def _read(room_id: str, answer: Any) -> RemoteSpace | None:
    """What of an answer has the right shape."""
    room: Any = answer.get("room") if isinstance(answer, dict) else None
    if not _is_room(room) or room["room_id"] != room_id:
        return None
    state = room.get("children_state")
    events = [event for event in state if _is_child_event(event)] if isinstance(state, list) else []
    listed = answer.get("children")
    children = [child for child in listed if _is_room(child)] if isinstance(listed, list) else []
    return RemoteSpace({**room, "children_state": events}, {child["room_id"]: child for child in children})


def _is_room(room: Any) -> bool:
    if not isinstance(room, dict) or not isinstance(room.get("room_id"), str):
        return False
    allowed = room.get("allowed_room_ids", [])
    has_good_texts = all(isinstance(room.get(name), str | None) for name in _TEXTS)
    return has_good_texts and isinstance(allowed, list) and all(isinstance(each, str) for each in allowed)


def _is_child_event(event: Any) -> bool:
    if not isinstance(event, dict) or event.get("type") != "m.space.child":
        return False
    content = event.get("content")
    is_good = isinstance(event.get("state_key"), str) and isinstance(event.get("sender"), str)
    return is_good and isinstance(content, dict) and isinstance(content.get("via"), list)
