"""The right empty answers: what clients ask for at their start and this server has nothing of.

Each goes away when the feature comes.
"""

from typing import Any

from synapse_like.matrix.errors import Unrecognized
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client, client_v1
from synapse_like.toolkit.http.request import Request

MAX_UPLOAD_BYTES = 50 * 1024 * 1024


class EmptyAnswersApi:
    """The endpoints."""

    @endpoint("GET", ("/_matrix/media/v3/config", "/_matrix/media/r0/config"), client_v1("/media/config"))
    async def media_config(self, request: Request[Any]) -> dict[str, Any]:
        """How large an upload may be."""
        return {"m.upload.size": MAX_UPLOAD_BYTES}

    @endpoint("GET", client("/thirdparty/protocols"))
    async def protocols(self, request: Request[Any]) -> dict[str, Any]:
        """Which networks bridges lead to."""
        return {}

    @endpoint("GET", client("/pushers"))
    async def pushers(self, request: Request[Any]) -> dict[str, Any]:
        """Where notifications are pushed to."""
        return {"pushers": []}

    @endpoint("GET", client_v1("/auth_metadata", unstable="org.matrix.msc2965"), auth=Auth.NONE)
    async def auth_metadata(self, request: Request[Any]) -> dict[str, Any]:
        """How to log in with OAuth 2.0."""
        raise Unrecognized("This server does not offer OAuth 2.0")
