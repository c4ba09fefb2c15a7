"""What this server is, for other servers. Source: server-server API, "Server implementation"."""

from typing import Any

from synapse_like import __version__
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import federation
from synapse_like.toolkit.http.request import Request


class VersionApi:
    """The endpoint."""

    @endpoint("GET", federation("/version"), auth=Auth.NONE, resource="federation", pool="federation")
    async def version(self, request: Request[Any]) -> dict[str, Any]:
        """Name and version of the software."""
        return {"server": {"name": "synapse-like", "version": __version__}}
