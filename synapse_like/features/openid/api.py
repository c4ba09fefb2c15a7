"""The endpoints of OpenID tokens. Source: client-server API, "OpenID"; server-server API, "OpenID"."""

from typing import Any

from synapse_like.features.openid.logic import LIFETIME_MS, OpenId
from synapse_like.matrix.errors import MissingToken
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.ownership import own_user_id
from synapse_like.toolkit.http.paths import client, federation
from synapse_like.toolkit.http.request import Request


class OpenIdApi:
    """Hands out tokens to users, and tells others whose they are."""

    def __init__(self, openid: OpenId, server_name: str) -> None:
        self._openid = openid
        self._server_name = server_name

    @endpoint("POST", client("/user/{user_id}/openid/request_token"), body=dict[str, Any])
    async def request_token(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """A token with which somebody else may learn who the user is."""
        return {
            "access_token": await self._openid.issue(own_user_id(request)),
            "token_type": "Bearer",
            "matrix_server_name": self._server_name,
            "expires_in": LIFETIME_MS // 1000,
        }

    @endpoint("GET", federation("/openid/userinfo"), auth=Auth.NONE, resource="openid", pool="federation")
    async def userinfo(self, request: Request[Any]) -> dict[str, Any]:
        """Whose token this is."""
        token = request.query.get("access_token")
        if not token:
            raise MissingToken("access_token is needed")
        return {"sub": await self._openid.owner(token)}
