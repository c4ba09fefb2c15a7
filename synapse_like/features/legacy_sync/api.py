"""GET events, initialSync, rooms/{id}/initialSync. Source: client-server API, "Syncing" (deprecated endpoints)."""

from typing import Any

from msgspec import Raw

from synapse_like.features.history import TimelineTokens
from synapse_like.features.legacy_sync.events import EventStream
from synapse_like.features.legacy_sync.snapshot import Snapshots
from synapse_like.matrix.errors import InvalidParam
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.http.endpoint import Auth, Balance, Timeout, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

DEFAULT_TIMEOUT_MS = 30_000
MAX_TIMEOUT_MS = 5 * 60 * 1000
DEFAULT_LIMIT = 10
MAX_LIMIT = 100


class LegacySyncApi:
    """The endpoints."""

    def __init__(self, stream: EventStream, snapshots: Snapshots, tokens: TimelineTokens) -> None:
        self._stream = stream
        self._snapshots = snapshots
        self._tokens = tokens

    @endpoint(
        "GET",
        client("/events"),
        auth=Auth.GUEST,
        balance=Balance.USER,
        pool="sync",
        timeout=Timeout.LONG_POLL,
        is_cancellable=True,
    )
    async def events(self, request: Request[Any]) -> dict[str, Any]:
        """What happened after a token."""
        query = request.query
        since = self._tokens.read("from", query.get("from"))
        if since is not None and not isinstance(since, SyncToken):
            raise InvalidParam("'from' is not a token of this stream")
        timeout_ms = query.integer("timeout", DEFAULT_TIMEOUT_MS, minimum=0, maximum=MAX_TIMEOUT_MS)
        chunk, start, end = await self._stream.after(request.requester, since, timeout_ms, query.get("room_id"))
        return {"chunk": list(map(Raw, chunk)), "start": start.encode(), "end": end.encode()}

    @endpoint("GET", client("/initialSync"), balance=Balance.USER, pool="sync", is_cancellable=True)
    async def initial_sync(self, request: Request[Any]) -> dict[str, Any]:
        """All rooms of the user."""
        query = request.query
        limit = query.integer("limit", DEFAULT_LIMIT, minimum=0, maximum=MAX_LIMIT)
        has_left_rooms = query.boolean("archived", False)
        return await self._snapshots.everything(request.requester, limit, has_left_rooms=has_left_rooms)

    @endpoint("GET", client("/rooms/{room_id}/initialSync"), auth=Auth.GUEST, balance=Balance.ROOM, is_cancellable=True)
    async def room_initial_sync(self, request: Request[Any]) -> dict[str, Any]:
        """One room."""
        limit = request.query.integer("limit", DEFAULT_LIMIT, minimum=0, maximum=MAX_LIMIT)
        return await self._snapshots.one(request.requester, request.params["room_id"], limit)
