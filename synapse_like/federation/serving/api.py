"""What other servers ask about rooms. Source: server-server API, "Retrieving events", "Backfilling and retrieving
missing events", "Room State Resolution".
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import msgspec
import orjson

from synapse_like.federation.pdus import ids_in
from synapse_like.federation.serving.logic import BACKFILL_LIMIT, MISSING_LIMIT, RoomRecords
from synapse_like.matrix.errors import MissingParam
from synapse_like.matrix.events import Event
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http import Auth, Reply, Request, endpoint

_V1 = "/_matrix/federation/v1"
_MAX_TIME_MS = 2**53 - 1


class _Options(TypedDict):
    auth: Auth
    pool: str
    resource: str


_FOR_SERVERS: _Options = {"auth": Auth.FEDERATION, "pool": "federation", "resource": "federation"}


class MissingEventsBody(msgspec.Struct):
    """POST get_missing_events."""

    earliest_events: list[Any]
    latest_events: list[Any]
    limit: int = 10
    min_depth: int = 0


class RecordsApi:
    """The endpoints."""

    def __init__(self, records: RoomRecords, server_name: str, clock: Clock) -> None:
        self._records = records
        self._server_name = server_name
        self._clock = clock

    @endpoint("GET", f"{_V1}/event/{{event_id}}", **_FOR_SERVERS)
    async def event(self, request: Request[Any]) -> Reply:
        """One event."""
        return self._transaction([await self._records.event(request.origin, request.params["event_id"])])

    @endpoint("GET", f"{_V1}/state/{{room_id}}", **_FOR_SERVERS)
    async def state(self, request: Request[Any]) -> Reply:
        """The state before an event, and its auth chain."""
        event_id = _required(request, "event_id")
        state, chain = await self._records.state(request.origin, request.params["room_id"], event_id)
        return Reply(200, b'{"pdus":[%s],"auth_chain":[%s]}' % (joined(state), joined(chain)))

    @endpoint("GET", f"{_V1}/state_ids/{{room_id}}", **_FOR_SERVERS)
    async def state_ids(self, request: Request[Any]) -> dict[str, Any]:
        """The same, as ids."""
        event_id = _required(request, "event_id")
        served = await self._records.state_ids(request.origin, request.params["room_id"], event_id)
        return {"pdu_ids": served.state_ids, "auth_chain_ids": served.auth_ids}

    @endpoint("GET", f"{_V1}/event_auth/{{room_id}}/{{event_id}}", **_FOR_SERVERS)
    async def event_auth(self, request: Request[Any]) -> Reply:
        """The auth chain of an event."""
        params = request.params
        chain = await self._records.auth_chain(request.origin, params["room_id"], params["event_id"])
        return Reply(200, b'{"auth_chain":[%s]}' % joined(chain))

    @endpoint("GET", f"{_V1}/backfill/{{room_id}}", **_FOR_SERVERS)
    async def backfill(self, request: Request[Any]) -> Reply:
        """Events that lead to others."""
        query = request.query
        event_ids = ids_in(query.getall("v"), BACKFILL_LIMIT)
        if not event_ids:
            raise MissingParam("v is missing")
        limit = query.integer("limit", minimum=0, default=BACKFILL_LIMIT)
        return self._transaction(
            await self._records.backfill(request.origin, request.params["room_id"], event_ids, limit)
        )

    @endpoint(
        "POST", f"{_V1}/get_missing_events/{{room_id}}", body=MissingEventsBody, is_idempotent=True, **_FOR_SERVERS
    )
    async def missing_events(self, request: Request[MissingEventsBody]) -> Reply:
        """Events between others."""
        body = request.body
        events = await self._records.missing_events(
            request.origin,
            request.params["room_id"],
            ids_in(body.earliest_events, MISSING_LIMIT * 5),
            ids_in(body.latest_events, MISSING_LIMIT * 5),
            body.limit,
            body.min_depth,
        )
        return Reply(200, b'{"events":[%s]}' % _encoded(events))

    @endpoint("GET", f"{_V1}/timestamp_to_event/{{room_id}}", **_FOR_SERVERS)
    async def event_at_time(self, request: Request[Any]) -> dict[str, Any]:
        """The event that was sent nearest to a time."""
        query = request.query
        time_ms = query.integer("ts", minimum=0, maximum=_MAX_TIME_MS)
        is_backward = query.choice("dir", ("b", "f")) == "b"
        found = await self._records.event_at_time(
            request.origin, request.params["room_id"], time_ms, is_backward=is_backward
        )
        return {"event_id": found.event_id, "origin_server_ts": found.event.origin_server_ts}

    def _transaction(self, events: Sequence[Event]) -> Reply:
        """Events in the form of a transaction."""
        head = orjson.dumps({"origin": self._server_name, "origin_server_ts": self._clock.now_ms()})
        return Reply(200, head[:-1] + b',"pdus":[%s]}' % _encoded(events))


def joined(parts: Iterable[str]) -> bytes:
    """JSON texts as the inside of a list."""
    return ",".join(parts).encode()


def _encoded(events: Iterable[Event]) -> bytes:
    return b",".join(event.encoded for event in events)


def _required(request: Request[Any], name: str) -> str:
    value = request.query.get(name)
    if value is None:
        raise MissingParam(f"{name} is missing")
    return str(value)
