"""What we use of Twisted's transports, in a form that mypy understands."""

# ruff: noqa: N802 (the names are Twisted's)

from typing import Any, Protocol

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.tcp import Connection as TCPConnection


class Socket(Protocol):
    """A connection's transport: TCP, TLS or a Unix socket."""

    def write(self, data: bytes, /) -> None:
        """Write, some time soon."""

    def loseConnection(self) -> None:
        """Close when everything is written."""

    def loseWriteConnection(self) -> None:
        """Close our direction when everything is written."""

    def abortConnection(self) -> None:
        """Close at once."""

    def registerProducer(self, producer: Any, streaming: bool, /) -> None:
        """Tell a producer when to pause."""

    def unregisterProducer(self) -> None:
        """Tell it no more; needed before closing."""

    def pauseProducing(self) -> None:
        """Stop reading."""

    def resumeProducing(self) -> None:
        """Read on."""

    def getPeer(self) -> Any:
        """Return the address of the other end."""


def peer_ip(socket: Socket) -> str:
    """Return the IP address of the other end; empty for a Unix socket."""
    host = str(getattr(socket.getPeer(), "host", ""))
    return host.removeprefix("::ffff:") if "." in host else host


def send_at_once(socket: Socket) -> None:
    """Let small packets not wait for more (TCP_NODELAY)."""
    set_no_delay = getattr(socket, "setTcpNoDelay", None)
    if set_no_delay is not None:
        set_no_delay(True)


def can_half_close(socket: Socket) -> bool:
    """Return whether our direction can be closed by itself; TLS cannot."""
    return not ISSLTransport.providedBy(socket)


class Output:
    """Writes to a socket, directly where the system takes the bytes at once.

    Twisted writes at the next turn of the reactor, after asking the system to be told when it can; for a reply that
    fits into the system's buffer that is most of the cost of writing.
    """

    __slots__ = ("_plain", "_socket")

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._plain = socket if isinstance(socket, TCPConnection) else None

    def write(self, data: bytes) -> None:
        """Write now, or some time soon. Once something had to wait, everything behind it goes the usual way."""
        if self._plain is not None:
            sent: int | Exception = self._plain.writeSomeData(data)
            if sent == len(data):
                return
            self._plain = None
            data = data[sent:] if isinstance(sent, int) else data  # an exception: Twisted meets it again, and closes
        self._socket.write(data)
