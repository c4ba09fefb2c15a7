"""GET /sync. Source: client-server API, "Syncing"."""

import json
from typing import Any

from synapse_like.matrix.errors import InvalidParam, NotJson
from synapse_like.matrix.filters import Filter
from synapse_like.sync.logic import Question, Sync
from synapse_like.sync.ports import Preferences, PresenceWriter
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.http.endpoint import Auth, Balance, Timeout, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester

MAX_TIMEOUT_MS = 5 * 60 * 1000
_EVERYTHING = Filter.parse({})


async def filter_of(preferences: Preferences, requester: Requester, text: str | None) -> Filter:
    """The filter that a query names (by id) or spells out (as JSON). Raises NotFound, NotJson, BadJson."""
    if text is None:
        return _EVERYTHING
    if not text.startswith("{"):
        return await preferences.stored_filter(requester.user_id, text)
    try:
        return Filter.parse(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise NotJson("The filter is not JSON") from error


class SyncApi:
    """The endpoint."""

    def __init__(self, sync: Sync, preferences: Preferences, presence: PresenceWriter | None) -> None:
        self._sync = sync
        self._preferences = preferences
        self._presence = presence

    @endpoint(
        "GET",
        client("/sync"),
        auth=Auth.GUEST,
        balance=Balance.USER,
        pool="sync",
        timeout=Timeout.LONG_POLL,
        is_cancellable=True,
    )
    async def sync(self, request: Request[Any]) -> Reply:
        """What happened since the client last asked."""
        query = request.query
        since_text = query.get("since")
        presence = query.choice("set_presence", ("online", "offline", "unavailable"), "online")
        uses_state_after = query.boolean("use_state_after", False) or query.boolean(
            "org.matrix.msc4222.use_state_after", False
        )
        chosen = await filter_of(self._preferences, request.requester, query.get("filter"))
        if since_text is not None and len(since_text) > 1024:
            raise InvalidParam("since is not a token of this server")
        question = Question(
            requester=request.requester,
            since=self._sync.since(since_text),
            filter=chosen,
            timeout_ms=query.integer("timeout", 0, minimum=0, maximum=2**53) if since_text else 0,
            is_full_state=query.boolean("full_state", False),
            uses_state_after=uses_state_after,
        )
        response, now = await self._answer(question, presence)
        return Reply(200, response.encode(now.encode(), state_key=b"state_after" if uses_state_after else b"state"))

    async def _answer(self, question: Question, presence: str) -> tuple[SyncResponse, SyncToken]:
        """The answer, while the user counts as being there, unless the client does not want that."""
        if self._presence is None or presence == "offline":
            return await self._sync.answer(question)
        who = question.requester.user_id, question.requester.device_id
        await self._presence.started_syncing(*who, presence)
        try:
            return await self._sync.answer(question)
        finally:
            self._presence.stopped_syncing(*who)
