"""The endpoints of other servers, for administrators; paths and fields are those that Synapse's administrators know."""

from typing import Any

from synapse_like.features.federation_admin.logic import Destinations, Page
from synapse_like.federation.outbound.sql.destinations import ORDERS
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import admin
from synapse_like.toolkit.http.request import Request

_MOST = 1_000
_MOST_SKIPPED = 10_000_000
_DESTINATIONS = "/federation/destinations"


class DestinationsApi:
    """Shows other servers, and tries them again."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    @endpoint("GET", admin(_DESTINATIONS), auth=Auth.ADMIN)
    async def page(self, request: Request[Any]) -> dict[str, Any]:
        """Servers, page by page."""
        order = request.query.get("order_by") or "destination"
        if order not in ORDERS:
            raise InvalidParam(f"order_by must be one of {', '.join(ORDERS)}")
        text = (request.query.get("destination") or "").replace("\0", "")
        return await self._destinations.page(text, order, _page(request))

    @endpoint("GET", admin(_DESTINATIONS + "/{destination}"), auth=Auth.ADMIN)
    async def one(self, request: Request[Any]) -> dict[str, Any]:
        """One server."""
        return await self._destinations.one(request.params["destination"])

    @endpoint("GET", admin(_DESTINATIONS + "/{destination}/rooms"), auth=Auth.ADMIN)
    async def rooms(self, request: Request[Any]) -> dict[str, Any]:
        """The rooms that a server is in."""
        return await self._destinations.rooms(request.params["destination"], _page(request))

    @endpoint("POST", admin(_DESTINATIONS + "/{destination}/reset_connection"), auth=Auth.ADMIN)
    async def reset(self, request: Request[Any]) -> dict[str, Any]:
        """Try a server again at once."""
        await self._destinations.reset(request.params["destination"])
        return {}


def _page(request: Request[Any]) -> Page:
    direction = request.query.get("dir") or "f"
    if direction not in ("f", "b"):
        raise InvalidParam("dir must be f or b")
    start = min(request.query.integer("from", 0, minimum=0), _MOST_SKIPPED)
    limit = max(1, min(request.query.integer("limit", 100, minimum=0), _MOST))
    return Page(start, limit, direction == "b")
