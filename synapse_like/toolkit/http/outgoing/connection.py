"""One HTTP/1.1 connection to another server: a request, its answer, the next request.

Bounded in everything that the other side decides: the size of the head, the number of interim answers, and, by the
sink, the size of the body. Times are watched by whoever waits for the answer: cancelling the wait breaks the
connection.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import httptools
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.errors import AnswerMalformed, AnswerTooLarge, ConnectionBroken
from synapse_like.toolkit.http.transport import send_at_once

MOST_HEAD_BYTES: Final = 64 * 1024


class Sink(Protocol):
    """Takes an answer in. Whatever it raises ends the connection, and the request with it."""

    def begin(self, status: int, headers: Headers) -> None:
        """Take the head."""

    def write(self, part: bytes) -> None:
        """Take a piece of the body."""


class HttpConnection(TwistedProtocol):
    """A connection, for one request at a time."""

    def __init__(self) -> None:
        self._parser: Any = None
        self._sink: Sink | None = None
        self._answer: Deferred[None] | None = None
        self._error: BaseException | None = None
        self._head_bytes = 0
        self._pairs: list[tuple[str, str]] = []
        self._has_head = False
        self._is_whole = False
        self._says_more = False
        self._keeps_alive = False
        self._ends_with_connection = False
        self._is_open = False
        self.on_lost: Callable[[], object] = lambda: None
        """Called once when the connection is gone; the pool listens."""

    @property
    def is_usable(self) -> bool:
        """Whether the next request may go out on it."""
        return self._is_open and self._answer is None

    def send(self, request: bytes, sink: Sink) -> "Deferred[None]":
        """Send a request; the answer goes to the sink, and the Deferred fires when it has ended.

        Fails with ConnectionBroken, AnswerMalformed, AnswerTooLarge (the head), or what the sink raised.
        """
        answer: Deferred[None] = Deferred(lambda _: self._give_up())
        if not self._is_open:
            answer.errback(ConnectionBroken("The connection was closed", has_begun=False))
            return answer
        self._answer, self._sink, self._error = answer, sink, None
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0
        self._transport.write(request)
        return answer

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._is_open = False
        self._transport.abortConnection()

    # ---- what Twisted calls ----

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802
        """The connection stands."""
        self._is_open = True
        send_at_once(self._transport)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take more of the answer."""
        if self._answer is None:
            self.abort()  # nobody has asked
            return
        self._head_bytes += 0 if self._has_head else len(data)
        try:
            self._parser.feed_data(data)
            if not self._has_head and self._head_bytes > MOST_HEAD_BYTES:
                raise AnswerTooLarge("The head of the other server's answer is too large")
            if self._is_whole:
                self._finish()
        except httptools.HttpParserUpgrade:
            self._fail(AnswerMalformed("The other server speaks another protocol"))
        except httptools.HttpParserCallbackError as error:
            self._fail(self._error or error)
        except (httptools.HttpParserError, AnswerTooLarge) as error:
            self._fail(error if isinstance(error, AnswerTooLarge) else AnswerMalformed())

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """The connection is gone; an answer without a length ends with it."""
        self._is_open = False
        if self._answer is not None:
            if self._ends_with_connection and isinstance(reason.value, ConnectionDone):
                self._finish()
            else:
                has_begun = self._has_head or self._head_bytes > 0
                self._fail(ConnectionBroken(f"The connection broke: {_why(reason)}", has_begun=has_begun))
        self.on_lost()

    # ---- what the parser calls ----

    def on_message_begin(self) -> None:
        """An answer begins: ours, or one that nobody has asked for."""
        self._says_more = self._is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Another header, or a trailer (which is thrown away)."""
        if not self._has_head:
            self._pairs.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._is_whole:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._pairs.clear()
            return
        headers = Headers(self._pairs)
        self._pairs = []
        self._has_head = True
        has_length = "content-length" in headers or "transfer-encoding" in headers
        self._ends_with_connection = not has_length and status not in (204, 304)
        self._tell(lambda sink: sink.begin(status, headers))

    def on_body(self, part: bytes) -> None:
        """Another piece of the body."""
        self._tell(lambda sink: sink.write(part))

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was an interim one."""
        if self._has_head and not self._is_whole:
            self._is_whole = True
            self._keeps_alive = self._parser.should_keep_alive()

    # ----

    def _tell(self, call: Callable[[Sink], None]) -> None:
        if self._sink is None or self._says_more:
            return
        try:
            call(self._sink)
        except BaseException as error:
            self._error = error
            raise

    def _finish(self) -> None:
        keeps_alive = self._keeps_alive and not self._says_more
        answer = self._forget()
        if not keeps_alive:
            self._is_open = False
            self._transport.loseConnection()
        if answer is not None:
            answer.callback(None)

    def _fail(self, error: BaseException) -> None:
        answer = self._forget()
        self.abort()
        if answer is not None:
            answer.errback(error)

    def _give_up(self) -> None:
        """Nobody waits any more."""
        self._forget()
        self.abort()

    def _forget(self) -> "Deferred[None] | None":
        answer, self._answer, self._sink = self._answer, None, None
        self._has_head = self._is_whole = self._says_more = self._keeps_alive = self._ends_with_connection = False
        self._pairs = []
        return answer


def _why(reason: Failure) -> str:
    """Return the reason of a lost connection in words; OpenSSL's come as a list of triples."""
    error = reason.value
    details = error.args[0] if error is not None and error.args else None
    if isinstance(details, list) and details and isinstance(details[0], tuple):
        return "; ".join(str(each[-1]) for each in details)
    return str(error) or type(error).__name__
