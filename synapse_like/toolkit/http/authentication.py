"""Finding out who is calling, and whether they may.

Only the questions that every endpoint asks: is there a token, is it a guest's, is the account locked; or which server
signed the request. What a user may do in a room is asked elsewhere; how tokens are stored is a feature's business, and
how signatures are checked is federation's.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from synapse_like.matrix.errors import Forbidden, GuestAccessForbidden, MissingToken, UserLocked
from synapse_like.toolkit.http.endpoint import Auth
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester


class Authenticator(Protocol):
    """Knows access tokens."""

    async def authenticate(self, token: str, request: Request[Any]) -> Requester:
        """Return whose token it is. Raises UnknownToken if it is nobody's; the request gives address and agent."""


class ServerAuthenticator(Protocol):
    """Knows the signatures of other servers."""

    async def authenticate_server(self, request: Request[Any]) -> str:
        """Return the server that signed the request. Raises Unauthorized or Forbidden."""


class NoServers:
    """Lets no other server in."""

    async def authenticate_server(self, request: Request[Any]) -> str:
        """Refuse."""
        raise Forbidden("This server does not federate")


@dataclass(frozen=True, slots=True)
class Authenticators:
    """Who knows the callers: users by their tokens, servers by their signatures."""

    users: Authenticator
    servers: ServerAuthenticator = field(default_factory=NoServers)


def access_token(request: Request[Any]) -> str | None:
    """Return the access token of a request, or None.

    From the ``Authorization`` header, or from the query for old clients. Raises MissingToken if the header is of
    another kind or the token is empty. Source: client-server API, "Using access tokens".
    """
    header = request.headers.get("authorization")
    if header is None:
        token = request.query.get("access_token")
        return token or None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise MissingToken("The Authorization header must be of the form: Bearer <access token>")
    return token


async def authenticate(request: Request[Any], auth: Auth, authenticators: Authenticators) -> None:
    """Fill in the requester, or the origin, as the endpoint's rule wants it.

    Raises MissingToken, what the authenticators raise, UserLocked, GuestAccessForbidden or Forbidden.
    """
    if auth is Auth.NONE:
        return
    if auth is Auth.FEDERATION:
        request.origin = await authenticators.servers.authenticate_server(request)
        return
    token = access_token(request)
    if token is None:
        if auth is Auth.OPTIONAL:
            return
        raise MissingToken()
    requester = await authenticators.users.authenticate(token, request)
    check_requester(requester, auth)
    request.requester = requester


def check_requester(requester: Requester, auth: Auth) -> None:
    """Raise if the endpoint's rule does not let this requester in."""
    if requester.is_locked and auth is not Auth.LOCKED_OK:
        raise UserLocked()
    if requester.is_guest and auth in (Auth.USER, Auth.ADMIN):
        raise GuestAccessForbidden()
    if auth is Auth.ADMIN and not requester.is_admin:
        raise Forbidden("You are not a server admin")
