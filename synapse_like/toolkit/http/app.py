"""From a request to its reply: route, who is calling, body, handler, and errors as Matrix clients know them."""

import logging
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError

from synapse_like.matrix.errors import InternalError, InvalidParam, LimitExceeded, MatrixError, Unavailable
from synapse_like.toolkit.db import Unstorable
from synapse_like.toolkit.http.authentication import Authenticators, authenticate
from synapse_like.toolkit.http.bodies import decode_body
from synapse_like.toolkit.http.endpoint import Auth, Endpoint
from synapse_like.toolkit.http.reply import Reply, as_reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Match, Router, WrongMethod
from synapse_like.toolkit.logs import request_at_work
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS: Final = 1
"""When a client should come back after an outage; the database's own repeats have failed by then."""


_UNSTORABLE: Final = "The request holds a character that cannot be stored"

Here = Callable[[], Awaitable[Reply]]


class Elsewhere(Protocol):
    """Knows in which process a request is to be handled, where several share the work."""

    def check(self) -> None:
        """Raise Unavailable if this process may not answer anything now."""
        ...

    async def answer(self, request: Request[Any], endpoint: Endpoint, here: Here) -> Reply:
        """The reply: from `here` if the request belongs to this process, else from the one that it belongs to."""
        ...


class App:
    """All endpoints of one listener, as a function from request to reply.

    `elsewhere` is None in a process that owns everything.
    """

    def __init__(self, router: Router, authenticators: Authenticators, elsewhere: Elsewhere | None = None) -> None:
        self._router = router
        self._authenticators = authenticators
        self._elsewhere = elsewhere

    def match(self, method: str, path: str) -> Match | MatrixError | None:
        """Return where a request leads: an endpoint, an error, or None for OPTIONS, which needs no endpoint."""
        if method == "OPTIONS":
            return None
        try:
            return self._router.match(method, path)
        except MatrixError as error:
            return error

    async def answer(self, request: Request[Any], match: Match | MatrixError | None) -> Reply:
        """Return the reply to a request, of which ``match`` is the result of :meth:`match`. Raises nothing.

        Errors that are no Matrix errors are logged with their traceback, and the client learns nothing of them.
        """
        with request_at_work(request.request_id):
            try:
                return await self._answer(request, match)
            except MatrixError as error:
                return error_reply(error)
            except Unstorable:
                return error_reply(InvalidParam(_UNSTORABLE))
            except CancelledError:
                return error_reply(Unavailable())
            except OUTAGES as error:
                what = type(error).__name__
                logger.error("Cannot answer %s %s now: %s: %s", request.method, request.path, what, error)
                return error_reply(Unavailable())
            except Exception:
                logger.exception("Failed to answer %s %s", request.method, request.path)
                return error_reply(InternalError())

    async def _answer(self, request: Request[Any], match: Match | MatrixError | None) -> Reply:
        if match is None:
            return Reply(204)
        if isinstance(match, MatrixError):
            raise match
        endpoint = match.route.endpoint
        request.params = match.params
        if self._elsewhere is not None and not (endpoint.is_constant and endpoint.auth is Auth.NONE):
            self._elsewhere.check()
        await authenticate(request, endpoint.auth, self._authenticators)
        request.body = decode_body(request.raw_body, endpoint)
        if self._elsewhere is None or endpoint.is_constant:
            return as_reply(await match.route.handler(request))

        async def here() -> Reply:
            return as_reply(await match.route.handler(request))

        return await self._elsewhere.answer(request, endpoint, here)

    async def answer_passed_on(self, request: Request[Any]) -> Reply:
        """The reply to a request that another process has received and authenticated.

        Raises what is no Matrix error: whether the request belongs here at all is for the caller to say.
        """
        match = self.match(request.method, request.path)
        if not isinstance(match, Match):
            raise InternalError()
        request.params = match.params
        request.body = decode_body(request.raw_body, match.route.endpoint)
        with request_at_work(request.request_id):
            try:
                return as_reply(await match.route.handler(request))
            except MatrixError as error:
                return error_reply(error)
            except Unstorable:
                return error_reply(InvalidParam(_UNSTORABLE))


def error_reply(error: MatrixError) -> Reply:
    """Return an error as clients know it: its JSON, and the headers that go with it."""
    reply = Reply(error.status, error.body())
    if isinstance(error, LimitExceeded) and error.retry_after_ms is not None:
        reply.add_header("Retry-After", str(max(1, ceil(error.retry_after_ms / 1000))))
    if isinstance(error, Unavailable):
        reply.add_header("Retry-After", str(RETRY_AFTER_SECONDS))
    if isinstance(error, WrongMethod):
        reply.add_header("Allow", error.allowed)
    return reply
