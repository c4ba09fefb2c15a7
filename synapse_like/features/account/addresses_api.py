"""E-mail addresses and telephone numbers of accounts: this server keeps none and cannot verify any.

Source: client-server API, "Adding Account Administrative Contact Information".
"""

from typing import Any, Final, NoReturn

from synapse_like.matrix.errors import SessionNotValidated, ThreepidMediumNotSupported
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request

_REQUEST_TOKEN: Final = tuple(
    path
    for begin in ("/register", "/account/password", "/account/3pid")
    for medium in ("email", "msisdn")
    for path in client(f"{begin}/{medium}/requestToken")
)
_ADD: Final = (*client("/account/3pid"), *client("/account/3pid/add"), *client("/account/3pid/bind"))
_REMOVE: Final = (*client("/account/3pid/delete"), *client("/account/3pid/unbind"))


class AddressesApi:
    """The endpoints."""

    @endpoint("GET", client("/account/3pid"), auth=Auth.USER)
    async def show(self, request: Request[Any]) -> dict[str, Any]:
        """The addresses of the account."""
        return {"threepids": []}

    @endpoint("POST", _ADD, auth=Auth.USER, body=dict[str, Any])
    async def add(self, request: Request[Any]) -> NoReturn:
        """Add an address that was verified; none can have been."""
        raise SessionNotValidated()

    @endpoint("POST", _REMOVE, auth=Auth.USER, body=dict[str, Any])
    async def remove(self, request: Request[Any]) -> dict[str, Any]:
        """Take an address away; it is not there."""
        return {"id_server_unbind_result": "no-support"}

    @endpoint("POST", _REQUEST_TOKEN, auth=Auth.NONE, body=dict[str, Any])
    async def request_token(self, request: Request[Any]) -> NoReturn:
        """Send a code to an address."""
        raise ThreepidMediumNotSupported("This server does not verify e-mail addresses or telephone numbers")
