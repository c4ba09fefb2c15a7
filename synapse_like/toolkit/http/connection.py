"""One client's connection: requests in, replies out in the same order, with deadlines for everything in between.

Reading requests is in ``reader``, answering them in ``app``, writing replies in ``wire``.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.http.app import error_reply
from synapse_like.toolkit.http.errors import RequestTimeout
from synapse_like.toolkit.http.exchange import Exchange
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.reader import Head, Phase, Refused, RequestReader
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Match
from synapse_like.toolkit.http.site import Environment, Site
from synapse_like.toolkit.http.transport import Output, Socket, can_half_close, peer_ip, send_at_once
from synapse_like.toolkit.http.wire import compress, render

logger = logging.getLogger(__name__)

UNWANTED_BODY_BYTES: Final = 64 * 1024
"""How much of a body is read when no endpoint wants it."""
READ_AHEAD_BYTES: Final = 1024 * 1024
"""How much of the bodies of pipelined requests may wait."""


class Connection(Protocol):
    """One connection. To its transport it is a producer, which is told when the client reads too slowly."""

    def __init__(self, site: Site, environment: Environment, lost: Callable[["Connection"], None]) -> None:
        """Take what answers requests; ``lost`` is told of the connection's end."""
        self.deadline = inf
        """When to call :meth:`expire`, in the environment's seconds."""
        self._site = site
        self._environment = environment
        self._lost = lost
        self._reader = RequestReader(self, site.limits)
        self._incoming: tuple[Request[Any], Match | MatrixError | None] | None = None
        self._waiting: list[Exchange] = []
        self._active: Exchange | None = None
        self._since = 0.0  # when what we wait for began
        self._peer = ""
        self._is_working = self._is_choked = self._is_paused = self._owes_continue = False
        self._is_deaf = self._is_closing = self._is_stopping = self._is_lost = False

    # ---- the connection's life ----

    def connectionMade(self) -> None:  # noqa: N802
        """A client has come."""
        transport = self._socket
        send_at_once(transport)
        transport.registerProducer(self, True)
        self._output = Output(transport)
        self._peer = peer_ip(transport)
        self._since = self._environment.seconds()
        self.deadline = self._since + self._site.limits.header_seconds

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """The connection is gone: tell who waits on behalf of its client."""
        self._is_lost = self._is_deaf = True
        self.deadline = inf
        self._waiting.clear()
        self._reader.close()
        self._lost(self)
        if self._active is not None:
            self._active.request.mark_disconnected()
        if self._active is not None:
            self._active.give_up()

    def expire(self) -> None:
        """The deadline has passed."""
        if self._is_closing or self._is_choked:
            self._socket.abortConnection()
        elif self._reader.phase is Phase.BETWEEN:
            self._close(lingers=False)
        else:
            self._take_refusal(Refused(RequestTimeout()))
            self._work()

    def stop(self) -> None:
        """Finish what has begun and close."""
        self._is_stopping = True
        if self._active is not None:
            self._active.request.mark_stopping()
        elif not self._waiting and self._reader.phase is Phase.BETWEEN and not self._is_closing:
            self._close(lingers=False)

    def abort(self) -> None:
        """Close, whatever has begun."""
        if self._active is not None:
            self._active.give_up()
        self._socket.abortConnection()

    # ---- input ----

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """More bytes."""
        if self._is_deaf:
            return
        now, phase = self._environment.seconds(), self._reader.phase
        try:
            self._reader.feed(data)
        except Refused as refusal:
            self._take_refusal(refusal)
        if self._reader.phase is not phase or phase is Phase.BODY:
            self._since = now
        self._work()

    def head_received(self, head: Head) -> int:
        """Take a head; return how much body may follow (the reader calls this)."""
        request = self._site.request_of(head, self._peer)
        match = self._site.app.match(head.method, request.path)
        self._incoming = request, match
        if isinstance(match, MatrixError) and head.content_length > UNWANTED_BODY_BYTES:
            raise Refused(match, head)
        self._owes_continue = head.expects_continue
        return match.route.endpoint.limit_bytes if isinstance(match, Match) else UNWANTED_BODY_BYTES

    def request_received(self, head: Head, body: bytes) -> None:
        """Take a whole request (the reader calls this)."""
        if self._incoming is not None:
            request, match = self._incoming
            request.raw_body = body
            self._waiting.append(Exchange(request, match, head.keeps_alive, self._environment.seconds()))
        self._incoming, self._owes_continue = None, False

    def _take_refusal(self, refusal: Refused) -> None:
        """Queue the error behind what came before it, and read nothing more."""
        self._is_deaf, self._owes_continue = True, False
        head = refusal.head or Head("-", "-", Headers())
        request, match = self._incoming or (self._site.request_of(head, self._peer), None)
        self._incoming = None
        exchange = Exchange(request, match, False, self._environment.seconds(), refusal.error)
        self._waiting.append(exchange)

    # ---- answering ----

    def _work(self) -> None:
        """Begin with whatever can be begun, and decide what to wait for."""
        if self._is_working or self._is_lost:
            return
        self._is_working = True
        while self._active is None and self._waiting and not self._is_choked and not self._is_closing:
            self._begin(self._waiting.pop(0))
        self._is_working = False
        if self._owes_continue and self._active is None:
            self._owes_continue = False
            self._output.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._read_ahead()
        self._set_deadline()

    def _begin(self, exchange: Exchange) -> None:
        self._active = exchange
        if self._is_stopping:
            exchange.request.mark_stopping()
        exchange.counted = self._site.access_log.begin(exchange.endpoint, exchange.request.method)
        answer = Deferred.fromCoroutine(self._answer(exchange))
        exchange.answer = exchange.request.work = answer
        answer.addCallback(self._finish, exchange)
        answer.addErrback(self._fail, exchange)

    async def _answer(self, exchange: Exchange) -> Reply:
        request, site = exchange.request, self._site
        if exchange.refusal is not None:
            return error_reply(exchange.refusal)
        reply = await site.app.answer(request, exchange.match)
        if len(reply.body) >= site.limits.compress_from_bytes:
            await compress(reply, request.headers.get("accept-encoding"), self._environment.run_in_thread)
        return reply

    def _finish(self, reply: Reply, exchange: Exchange) -> None:
        self._active = exchange.answer = None
        now = self._environment.seconds()
        counted, exchange.counted = exchange.counted, None
        self._site.access_log.end(counted, exchange.request, reply, now - exchange.began_at)
        if self._is_lost:
            return
        keeps_alive = exchange.keeps_alive and not self._is_stopping
        is_head = exchange.request.method == "HEAD"
        self._since = now
        self._output.write(render(reply, self._site.clock.now_ms(), is_head=is_head, keeps_alive=keeps_alive))
        if not keeps_alive:
            self._close(lingers=exchange.refusal is not None)
        self._work()

    def _fail(self, failure: Failure, exchange: Exchange) -> None:
        """A reply could not be written; only a fault of ours, or giving up, leads here."""
        self._active = None
        if exchange.counted is not None:
            exchange.counted.ended(500, self._environment.seconds() - exchange.began_at, 0, 0)
        logger.error("Failed to write a reply", exc_info=failure.value)
        if not self._is_lost:
            self._socket.abortConnection()

    # ---- output ----

    @property
    def _socket(self) -> Socket:
        return cast(Socket, self.transport)

    def _close(self, *, lingers: bool) -> None:
        """Close when everything is written; with ``lingers``, throw input away for a while so that the client reads on.

        Closing a socket that still has input would reset the connection, and the client might lose the reply.
        """
        if self._is_lost:
            return
        self._is_deaf = self._is_closing = True
        self._waiting.clear()
        if self._is_paused:
            self._is_paused = False
            self._socket.resumeProducing()
        self._socket.unregisterProducer()
        limits = self._site.limits
        self.deadline = self._environment.seconds() + (limits.linger_seconds if lingers else limits.write_seconds)
        if not lingers:
            self._socket.loseConnection()
        elif can_half_close(self._socket):
            self._socket.loseWriteConnection()

    def _read_ahead(self) -> None:
        """Stop reading while enough requests wait, and read on when they do not."""
        size = sum(len(exchange.request.raw_body) for exchange in self._waiting) if self._waiting else 0
        is_enough = len(self._waiting) >= self._site.limits.pipelined_requests or size > READ_AHEAD_BYTES
        if is_enough is self._is_paused or self._is_closing:
            return
        self._is_paused = is_enough
        if is_enough:
            self._socket.pauseProducing()
        else:
            self._socket.resumeProducing()

    def _set_deadline(self) -> None:
        limits = self._site.limits
        if self._is_closing:
            return
        if self._is_choked:
            self.deadline = self._since + limits.write_seconds
        elif self._active is not None or self._waiting:
            self.deadline = inf
        elif self._reader.phase is Phase.HEAD:
            self.deadline = self._since + limits.header_seconds
        elif self._reader.phase is Phase.BODY:
            self.deadline = self._since + limits.body_idle_seconds
        else:
            self.deadline = self._since + limits.keep_alive_seconds

    def pauseProducing(self) -> None:  # noqa: N802
        """The client reads too slowly (the transport calls this)."""
        self._is_choked = True
        self._since = self._environment.seconds()
        self._set_deadline()

    def resumeProducing(self) -> None:  # noqa: N802
        """The client has read enough (the transport calls this)."""
        self._is_choked = False
        self._since = self._environment.seconds()
        self._work()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is closing (the transport calls this); `connectionLost` says when it has."""
