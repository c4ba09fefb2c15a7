"""GET messages, context, event, timestamp_to_event. Source: client-server API, "Getting events for a room",
"Event Context", "Getting an event by timestamp".
"""

from typing import Any

from msgspec import Raw

from synapse_like.features.history.logic import History, Pagination
from synapse_like.features.history.parameters import MAX_TIME_MS, event_filter, limit_of
from synapse_like.features.history.tokens import TimelineTokens
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client, client_v1
from synapse_like.toolkit.http.request import Request

_DIRECTIONS = ("b", "f")


class HistoryApi:
    """The endpoints."""

    def __init__(self, history: History, tokens: TimelineTokens) -> None:
        self._history = history
        self._tokens = tokens

    @endpoint("GET", client("/rooms/{room_id}/messages"), auth=Auth.GUEST, balance=Balance.ROOM, is_cancellable=True)
    async def messages(self, request: Request[Any]) -> dict[str, Any]:
        """A page of the timeline."""
        query = request.query
        chosen = event_filter(query)
        question = Pagination(
            is_backward=query.choice("dir", _DIRECTIONS) == "b",
            limit=limit_of(query, chosen),
            start=self._tokens.read("from", query.get("from")),
            end=self._tokens.read("to", query.get("to")),
            filter=chosen,
        )
        page = await self._history.messages(request.requester, request.params["room_id"], question)
        answer: dict[str, Any] = {
            "chunk": list(map(Raw, page.chunk)),
            "start": query.get("from") or page.start.encode(),
        }
        if page.state:
            answer["state"] = list(map(Raw, page.state))
        end = query.get("to") if page.has_reached_end else page.end.encode() if page.end else None
        return answer if end is None else {**answer, "end": end}

    @endpoint(
        "GET", client("/rooms/{room_id}/context/{event_id}"), auth=Auth.GUEST, balance=Balance.ROOM, is_cancellable=True
    )
    async def context(self, request: Request[Any]) -> dict[str, Any]:
        """An event and its neighbours."""
        params, chosen = request.params, event_filter(request.query)
        limit = limit_of(request.query, chosen)
        found = await self._history.context(request.requester, params["room_id"], params["event_id"], limit, chosen)
        return {
            "event": Raw(found.event),
            "events_before": list(map(Raw, found.before)),
            "events_after": list(map(Raw, found.after)),
            "state": list(map(Raw, found.state)),
            "start": found.start.encode(),
            "end": found.end.encode(),
        }

    @endpoint("GET", client("/rooms/{room_id}/event/{event_id}"), auth=Auth.GUEST, balance=Balance.ROOM)
    async def event(self, request: Request[Any]) -> Raw:
        """One event of a room."""
        params = request.params
        return Raw(await self._history.event(request.requester, params["room_id"], params["event_id"]))

    @endpoint("GET", client("/events/{event_id}"), auth=Auth.GUEST, balance=Balance.USER)
    async def event_anywhere(self, request: Request[Any]) -> Raw:
        """One event, whatever its room."""
        return Raw(await self._history.event(request.requester, None, request.params["event_id"]))

    @endpoint(
        "GET",
        client_v1("/rooms/{room_id}/timestamp_to_event", unstable="org.matrix.msc3030"),
        auth=Auth.GUEST,
        balance=Balance.ROOM,
    )
    async def event_at_time(self, request: Request[Any]) -> dict[str, Any]:
        """The event that was sent nearest to a time."""
        query = request.query
        time_ms = query.integer("ts", minimum=0, maximum=MAX_TIME_MS)
        is_backward = query.choice("dir", _DIRECTIONS) == "b"
        found = await self._history.event_at_time(
            request.requester, request.params["room_id"], time_ms, is_backward=is_backward
        )
        return {"event_id": found.event_id, "origin_server_ts": found.event.origin_server_ts}
