"""What we use of Twisted's transports, in a form that mypy understands."""

# ruff: noqa: N802 (the names are Twisted's)

from typing import Any, Protocol

from twisted.internet.interfaces import ISSLTransport


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
