"""From bytes to requests: the parser's callbacks, and the limits on what a client may send.

Knows nothing of sockets, routes and replies; whoever feeds it bytes is told of each head and each whole request.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import httptools

from synapse_like.matrix.errors import MatrixError, TooLarge
from synapse_like.toolkit.http.errors import AddressTooLong, HeadersTooLarge, MalformedRequest
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.limits import Limits


@dataclass(slots=True)
class Head:
    """A request line and its headers."""

    method: str
    target: str
    headers: Headers
    version: str = "1.1"
    keeps_alive: bool = False
    """True if the client would like to send another request on this connection."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for our permission before it sends its body."""
        return self.version == "1.1" and (self.headers.get("expect") or "").lower() == "100-continue"

    @property
    def content_length(self) -> int:
        """The length of the body in bytes; 0 if the head does not tell."""
        return int(self.headers.get("content-length") or 0)

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.content_length > 0 or "transfer-encoding" in self.headers


class Refused(Exception):
    """The rest of the input cannot or shall not be read; carries the error, and the head if it is known."""

    def __init__(self, error: MatrixError, head: Head | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.head = head


class Receiver(Protocol):
    """Whoever wants the requests."""

    def head_received(self, head: Head) -> int:
        """Take a head and return how many bytes of body may follow. May raise Refused."""

    def request_received(self, head: Head, body: bytes) -> None:
        """Take a whole request."""


class Phase(Enum):
    """Where in the input we are."""

    BETWEEN = "between"
    HEAD = "head"
    BODY = "body"


class RequestReader:
    """Reads the requests of one connection, one after the other."""

    def __init__(self, receiver: Receiver, limits: Limits) -> None:
        self._receiver = receiver
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._is_skipping = False
        self._refusal: Refused | None = None
        self.phase = Phase.BETWEEN
        self._begin()

    def close(self) -> None:
        """Read no more, and let go of parser and receiver: they hold this reader, as it holds them."""
        del self._parser, self._receiver

    def feed(self, data: bytes) -> None:
        """Take more input. Raises Refused; after that the reader must not be fed again."""
        was_in_head = self.phase is Phase.HEAD
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            if self._refusal is None:
                raise
            raise self._refusal from None
        except httptools.HttpParserError:
            raise Refused(MalformedRequest(), self._head if self.phase is Phase.BODY else None) from None
        if was_in_head and self.phase is Phase.HEAD:
            self._check_unfinished(len(data))

    def _begin(self) -> None:
        """Have nothing of a request: an idle connection does not keep its last one."""
        self._target = b""
        self._pairs: list[tuple[str, str]] = []
        self._size = 0
        self._unfinished_size = 0
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._body_size = 0
        self._body_limit = 0

    # ---- what the parser calls ----

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._is_skipping:
            self.phase = Phase.HEAD

    def on_url(self, part: bytes) -> None:
        """Another piece of the path and query."""
        if not self._is_skipping:
            self._target += part
            if len(self._target) > self._limits.request_line_bytes:
                self._refuse(AddressTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after a chunked body (which is counted and thrown away)."""
        if self._is_skipping:
            return
        self._size += len(name) + len(value) + 4
        if self._size > self._limits.header_bytes or len(self._pairs) >= self._limits.header_count:
            self._refuse(HeadersTooLarge())
        if self.phase is Phase.HEAD:
            self._pairs.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._is_skipping:
            return
        parser = self._parser
        head = Head(
            parser.get_method().decode("ascii"),
            _origin_form(self._target.decode("ascii")),
            Headers(self._pairs),
            parser.get_http_version(),
            parser.should_keep_alive(),
        )
        self._head = head
        if not _is_unambiguous(head):
            self._refuse(MalformedRequest())
        self.phase = Phase.BODY
        try:
            self._body_limit = self._receiver.head_received(head)
        except Refused as refusal:
            self._refusal = refusal
            raise
        if head.content_length > self._body_limit:
            self._refuse(TooLarge())

    def on_body(self, part: bytes) -> None:
        """Another piece of the body."""
        self._body_size += len(part)
        if self._body_size > self._body_limit:
            self._refuse(TooLarge())
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The request is complete, unless the parser believes in an upgrade and has left out the body."""
        head = self._head
        if self._is_skipping or head is None or (self._parser.should_upgrade() and head.has_body):
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self.phase = Phase.BETWEEN
        self._begin()
        self._receiver.request_received(head, body)

    # ----

    def _refuse(self, error: MatrixError) -> None:
        self._refusal = Refused(error, self._head)
        raise self._refusal

    def _check_unfinished(self, size: int) -> None:
        """Count input that has not even ended a header yet, which the parser keeps to itself."""
        self._unfinished_size += size
        if self._unfinished_size > self._limits.header_bytes + self._limits.request_line_bytes:
            raise Refused(HeadersTooLarge())

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read on as if the client had not asked for another protocol, which it has to be ready for (RFC 9110, 7.8).

        The parser stops after such a head and forgets the body, so a new one is told the head again.
        """
        self._parser = httptools.HttpRequestParser(self)
        head = self._head
        if head is not None and head.has_body:
            name = "content-length" if "content-length" in head.headers else "transfer-encoding"
            self._is_skipping = True
            self._parser.feed_data(f"POST / HTTP/1.1\r\n{name}: {head.headers.get(name)}\r\n\r\n".encode("latin-1"))
            self._is_skipping = False
        if rest:
            self.feed(rest)


def _origin_form(target: str) -> str:
    """Return path and query of a target that may be a whole URL, as proxies send it (RFC 9112, 3.2)."""
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if found else target


def _is_unambiguous(head: Head) -> bool:
    """Return whether every server would read this head in the same way (RFC 9112, sections 3.2 and 6.1)."""
    encodings = head.headers.getall("transfer-encoding")
    hosts = head.headers.getall("host")
    if head.version == "1.1":
        return len(hosts) == 1 and (not encodings or [e.lower() for e in encodings] == ["chunked"])
    return head.version == "1.0" and len(hosts) <= 1 and not encodings
