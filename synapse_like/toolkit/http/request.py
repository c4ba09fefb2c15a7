"""What a handler is given: one request, parsed. Answers are in ``reply``; sockets are in ``protocol``."""

from collections.abc import Callable, Sequence
from typing import Any, Generic

from twisted.internet.defer import Deferred
from typing_extensions import TypeVar

from synapse_like.matrix.errors import MissingToken
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.query import Query
from synapse_like.toolkit.http.requester import Requester

B = TypeVar("B", default=Any)
"""The type of a request's body: ``Request[TypingBody]``, or plain ``Request`` where it does not matter."""


class Request(Generic[B]):
    """One request. The server fills it in; handlers read it.

    ``body`` is decoded and checked before the handler runs. A handler that waits for something on behalf of its
    client registers with :meth:`on_disconnect`, so that it stops waiting when nobody listens any more.
    """

    __slots__ = (
        "_gone",
        "_origin",
        "_query",
        "_requester",
        "body",
        "client_ip",
        "headers",
        "is_disconnected",
        "is_stopping",
        "method",
        "params",
        "path",
        "query_string",
        "raw_body",
        "received_ms",
        "request_id",
        "target",
        "work",
    )

    body: B
    """The JSON body as the endpoint declares it; an empty ``dict`` if it declares none."""
    work: Deferred[Any] | None
    """What ends with the reply, once its connection has begun with it; who cancels it gives the request up."""

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers | Sequence[tuple[str, str]] = (),
        raw_body: bytes = b"",
        *,
        client_ip: str = "",
        received_ms: int = 0,
        request_id: str = "",
    ) -> None:
        """Take a request as it arrives; ``target`` is path and query, still encoded."""
        self.method = method
        self.target = target
        self.path, _, self.query_string = target.partition("?")
        self.headers = headers if isinstance(headers, Headers) else Headers([(n.lower(), v) for n, v in headers])
        self.raw_body = raw_body
        self.client_ip = client_ip
        self.received_ms = received_ms
        self.request_id = request_id
        self.params: dict[str, str] = {}
        self.is_disconnected = False
        self.is_stopping = False
        self.work = None
        self._query: Query | None = None
        self._requester: Requester | None = None
        self._origin: str | None = None
        self._gone: list[Callable[[], object]] = []

    @property
    def query(self) -> Query:
        """The query string, read when first asked for. Raises InvalidParam if it cannot be decoded."""
        if self._query is None:
            self._query = Query(self.query_string)
        return self._query

    @property
    def user_agent(self) -> str:
        """What the client says that it is, or an empty string."""
        return self.headers.get("user-agent") or ""

    @property
    def requester(self) -> Requester:
        """Who is calling. Raises MissingToken where the endpoint lets nobody in particular call."""
        if self._requester is None:
            raise MissingToken()
        return self._requester

    @requester.setter
    def requester(self, requester: Requester) -> None:
        self._requester = requester

    @property
    def optional_requester(self) -> Requester | None:
        """Who is calling, or None if the request had no token or the endpoint looks at none."""
        return self._requester

    @property
    def origin(self) -> str:
        """Which server is calling. Raises MissingToken where the endpoint is not for servers."""
        if self._origin is None:
            raise MissingToken()
        return self._origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._origin = origin

    @property
    def optional_origin(self) -> str | None:
        """Which server is calling, or None if it is a client."""
        return self._origin

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call back, once, when waiting has become useless: the client has gone, or the server is stopping.

        Calls at once if that has happened. ``is_disconnected`` and ``is_stopping`` tell which; a handler whose
        server is stopping should answer with what it has.
        """
        if self.is_disconnected or self.is_stopping:
            callback()
        else:
            self._gone.append(callback)

    def mark_disconnected(self) -> None:
        """Say that the client has gone (the server calls this)."""
        self.is_disconnected = True
        self._call_back()

    def mark_stopping(self) -> None:
        """Say that the server is stopping and would like an answer soon (the server calls this)."""
        self.is_stopping = True
        self._call_back()

    def _call_back(self) -> None:
        callbacks, self._gone = self._gone, []
        for callback in callbacks:
            callback()
