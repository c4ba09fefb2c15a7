"""GET /keys/changes. Source: client-server API, "Key management API"."""

from typing import Any

from synapse_like.features.device_lists.logic import DeviceLists
from synapse_like.toolkit.http.endpoint import Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request


class KeyChangesApi:
    """The endpoint."""

    def __init__(self, lists: DeviceLists) -> None:
        self._lists = lists

    @endpoint("GET", client("/keys/changes"), balance=Balance.USER)
    async def changes(self, request: Request[Any]) -> dict[str, Any]:
        """Whose keys have changed since a token; changes after `to` are told as well, as the specification allows."""
        found = await self._lists.changes(request.requester.user_id, request.query.string("from"))
        return {"changed": sorted(found.changed), "left": sorted(found.left)}
