"""The endpoints of filters. Source: client-server API, "Filtering"."""

from typing import Any

from synapse_like.features.filters.logic import Filters
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.ownership import own_user_id
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

_MAX_FILTER_BYTES = 64 * 1024


class FiltersApi:
    """Stores filters and shows them."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters

    @endpoint(
        "POST",
        client("/user/{user_id}/filter"),
        auth=Auth.GUEST,
        body=dict[str, Any],
        balance=Balance.USER,
        limit_bytes=_MAX_FILTER_BYTES,
        is_idempotent=True,
    )
    async def add(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Store a filter."""
        return {"filter_id": await self._filters.add(own_user_id(request), request.body)}

    @endpoint("GET", client("/user/{user_id}/filter/{filter_id}"), auth=Auth.GUEST, balance=Balance.USER)
    async def get(self, request: Request[Any]) -> dict[str, Any]:
        """A filter as it was sent."""
        return dict((await self._filters.get(own_user_id(request), request.params["filter_id"])).json)
