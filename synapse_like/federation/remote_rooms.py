"""What other servers know of rooms: asked for, bounded, and verified. Nothing here touches our own rooms."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

from synapse_like.federation.client import FederationClient, path_of
from synapse_like.federation.pdus import PduReader, ids_in
from synapse_like.federation.replies import RoomReply
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.told import Told

logger = logging.getLogger(__name__)

V1: Final = "/_matrix/federation/v1"
_MEGABYTE: Final = 1024 * 1024
_LARGEST_STATE: Final = 128 * _MEGABYTE
_LARGE_AT_ONCE: Final = 2
"""How many whole states are fetched at once: each may be large, and a server can make us fetch them."""
_MOST_IDS: Final = 200_000
_MOST_EVENTS: Final = 100_000
_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class RoomHere:
    """A room as another server is asked about it."""

    room_id: str
    version: RoomVersion


@dataclass(frozen=True, slots=True)
class ToldState:
    """A state as another server told it, by ids; and the auth chain of all that."""

    state_ids: Sequence[str]
    auth_ids: Sequence[str]


class RemoteRooms:
    """Asks other servers. Methods raise what `FederationClient` raises."""

    def __init__(self, client: FederationClient, reader: PduReader) -> None:
        self._client = client
        self._large = DeferredSemaphore(_LARGE_AT_ONCE)
        self.reader = reader

    async def missing_events(
        self, server: str, room: RoomHere, earliest: Sequence[str], latest: Sequence[str], limit: int
    ) -> list[Event]:
        """The events between two sets of events, at most `limit`."""
        body = {"earliest_events": list(earliest), "latest_events": list(latest), "limit": limit, "min_depth": 0}
        path = path_of(f"{V1}/get_missing_events", room.room_id)
        answer = await self._client.post(server, path, body, limit_bytes=4 * _MEGABYTE)
        return await self._events(_list(answer, "events")[:limit], room)

    async def state_ids(self, server: str, room_id: str, event_id: str) -> ToldState:
        """The state before an event, by ids."""
        path = path_of(f"{V1}/state_ids", room_id)
        answer = await self._client.get(server, path, {"event_id": event_id}, limit_bytes=32 * _MEGABYTE)
        state_ids = ids_in(_list(answer, "pdu_ids"), _MOST_IDS)
        return ToldState(state_ids, ids_in(_list(answer, "auth_chain_ids"), _MOST_IDS))

    @asynccontextmanager
    async def state(self, server: str, room: RoomHere, event_id: str) -> AsyncIterator[RoomReply]:
        """The state before an event and the auth chain of it, on disk as long as the context lasts."""
        path = path_of(f"{V1}/state", room.room_id)
        await self._large.acquire()
        try:
            with closing(Told(room.room_id, room.version)) as told:
                reply = RoomReply(server, told, "pdus")
                query = {"event_id": event_id}
                await self._client.stream(
                    server, path, reply.write, query=query, limit_bytes=_LARGEST_STATE, timeout_s=120.0
                )
                reply.finish()
                yield reply
        finally:
            self._large.release()

    async def event(self, server: str, room: RoomHere, event_id: str) -> Event | None:
        """One event, if that server gives it to us."""
        answer = await self._client.get(server, path_of(f"{V1}/event", event_id))
        found = await self._events(_list(answer, "pdus")[:1], room)
        return next((event for event in found if event.event_id == event_id), None)

    async def events(self, server: str, room: RoomHere, event_ids: Sequence[str]) -> list[Event]:
        """Several events, some at once; those that the server does not give are missing."""
        found: list[Event] = []
        for start in range(0, len(event_ids), _AT_ONCE):
            asked = [
                Deferred.fromCoroutine(self._event_or_none(server, room, event_id))
                for event_id in event_ids[start : start + _AT_ONCE]
            ]
            for _, event in await DeferredList(asked, consumeErrors=True):
                if isinstance(event, Event):
                    found.append(event)
        return found

    async def auth_chain(self, server: str, room: RoomHere, event_id: str) -> list[Event]:
        """The auth chain of an event."""
        path = path_of(f"{V1}/event_auth", room.room_id, event_id)
        answer = await self._client.get(server, path, limit_bytes=64 * _MEGABYTE)
        return await self._events(_list(answer, "auth_chain")[:_MOST_EVENTS], room)

    async def backfill(self, server: str, room: RoomHere, event_ids: Sequence[str], limit: int) -> list[Event]:
        """Events that lead to the given ones, those included, at most `limit`."""
        query = {"v": list(event_ids), "limit": str(limit)}
        path = path_of(f"{V1}/backfill", room.room_id)
        answer = await self._client.get(server, path, query, limit_bytes=16 * _MEGABYTE)
        return await self._events(_list(answer, "pdus")[:limit], room)

    async def event_at_time(self, server: str, room_id: str, time_ms: int, direction: str) -> tuple[str, int] | None:
        """The event nearest to a time, with its own time."""
        path = path_of(f"{V1}/timestamp_to_event", room_id)
        answer = await self._client.get(server, path, {"ts": str(time_ms), "dir": direction})
        ids = ids_in([answer.get("event_id")] if isinstance(answer, dict) else None, 1)
        sent_ms = answer.get("origin_server_ts") if isinstance(answer, dict) else None
        return (ids[0], sent_ms) if ids and isinstance(sent_ms, int) else None

    async def _event_or_none(self, server: str, room: RoomHere, event_id: str) -> Event | None:
        try:
            return await self.event(server, room, event_id)
        except MatrixError as error:
            logger.info("%s does not give event %s: %s", server, event_id, error)
            return None

    async def _events(self, pdus: Sequence[Any], room: RoomHere) -> list[Event]:
        return (await self.reader.read(pdus, room.version, room_id=room.room_id)).events


def _list(answer: Any, name: str) -> list[Any]:
    value = answer.get(name) if isinstance(answer, dict) else None
    return value if isinstance(value, list) else []
