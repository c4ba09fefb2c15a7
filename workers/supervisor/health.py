"""Asks a process of this machine whether it is ready: one GET over a socket, nothing more."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone

from synapse_like.toolkit.clock import Clock
from workers.routes.upstreams import Address

ASK_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.1
READY_PATH: Final = "/health/ready"


async def wait_until_ready(
    reactor: Any, clock: Clock, address: Address, seconds: float, is_hopeless: Callable[[], bool]
) -> bool:
    """Ask again and again until it is ready; False if it was not in so many seconds, or if there is no hope left."""
    deadline_ms = clock.monotonic_ms() + int(1000 * seconds)
    while clock.monotonic_ms() < deadline_ms and not is_hopeless():
        if await is_ready(reactor, address):
            return True
        await clock.sleep(PAUSE_SECONDS)
    return False


async def is_ready(reactor: Any, address: Address) -> bool:
    """Whether the process answers 200."""
    asking = _Asking()
    endpoint = HostnameEndpoint(reactor, address.host, address.port, timeout=ASK_SECONDS)
    try:
        await connectProtocol(endpoint, asking)  # type: ignore[no-untyped-call]
        return (await asking.answer.addTimeout(ASK_SECONDS, reactor)).split(b" ")[1:2] == [b"200"]
    except (ConnectError, TimeoutError):
        asking.close()
        return False


class _Asking(Protocol):
    """Sends the request, and gives the first line of what comes back."""

    transport: Any

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._received = b""

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.write(f"GET {READY_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._received += data
        if b"\r\n" in self._received:
            self._give(self._received.split(b"\r\n")[0])
            self.close()

    def connectionLost(self, reason: Any = connectionDone) -> None:  # noqa: N802
        self._give(b"")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.transport is not None:
            self.transport.loseConnection()

    def _give(self, line: bytes) -> None:
        if not self.answer.called:
            self.answer.callback(line)
