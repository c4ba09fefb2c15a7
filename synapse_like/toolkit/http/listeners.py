"""Listening: ports, Unix sockets and TLS, each serving the endpoints of its resources.

Takes plain values; what `homeserver.yaml` calls them is known by ``toolkit.config``.
"""

import errno
import logging
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError

from synapse_like.toolkit.http.access_log import AccessLog, Metrics
from synapse_like.toolkit.http.app import App, Elsewhere
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.endpoint import BoundEndpoint
from synapse_like.toolkit.http.limits import Limits
from synapse_like.toolkit.http.proxies import PRIVATE_NETWORKS, TrustedProxies
from synapse_like.toolkit.http.router import Router
from synapse_like.toolkit.http.server import Server
from synapse_like.toolkit.http.site import Site, WallClock
from synapse_like.toolkit.http.tls import TlsFiles, tls_options

logger = logging.getLogger(__name__)

IMPLIED: Final = {
    "client": frozenset({"client", "media", "static"}),
    "federation": frozenset({"federation", "keys", "media", "openid"}),
}
"""What further resources a resource brings with it; every listener also serves ``health``."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One place to listen at: a port of some addresses, or a Unix socket."""

    port: int | None = None
    addresses: tuple[str, ...] = ("127.0.0.1",)
    path: Path | None = None
    mode: int = 0o666
    """Access rights of the Unix socket."""
    tls: TlsFiles | None = None
    resources: frozenset[str] = frozenset({"client"})
    x_forwarded: bool = False
    trusted_proxies: tuple[str, ...] = PRIVATE_NETWORKS
    request_id_header: str | None = None
    tag: str | None = None
    """Its name in the access log; its port or path if it has none."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all listeners need."""

    reactor: Any
    clock: WallClock
    authenticators: Authenticators
    elsewhere: Elsewhere | None = None
    metrics: Metrics | None = None
    limits: Limits = field(default_factory=Limits)


class CannotListen(Exception):
    """A listener could not be started; the message is for the administrator."""


class Listeners:
    """All listeners of a process."""

    def __init__(self, surroundings: Surroundings, endpoints: Iterable[BoundEndpoint]) -> None:
        """Take every endpoint of the process; each listener picks those of its resources."""
        self._surroundings = surroundings
        self._endpoints = tuple(endpoints)
        self._servers: list[Server] = []
        self._ports: list[Any] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where we listen: (address, port), or (path, 0) for a Unix socket."""
        hosts = [port.getHost() for port in self._ports]
        return [(host.host, host.port) if hasattr(host, "port") else (_text(host.name), 0) for host in hosts]

    @property
    def connection_count(self) -> int:
        """How many clients are connected, to all listeners together."""
        return sum(server.connection_count for server in self._servers)

    def start(self, settings: ListenerSettings) -> None:
        """Begin to listen. Raises CannotListen, also for a certificate that cannot be used."""
        server = Server(self._site(settings), self._surroundings.reactor)
        self._servers.append(server)
        try:
            tls = tls_options(settings.tls) if settings.tls is not None else None
        except (OSError, ValueError, TypeError) as error:
            raise CannotListen(f"Cannot use the TLS certificate or key: {error}") from error
        if settings.path is not None:
            self._listen_at_path(server, settings.path, settings.mode)
        if settings.port is not None:
            self._listen_at_port(server, settings.port, settings.addresses, tls)

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, finish the requests at work and close every connection, within the grace."""
        ports, self._ports = self._ports, []
        await DeferredList([maybeDeferred(port.stopListening) for port in ports])
        servers, self._servers = self._servers, []
        await DeferredList([Deferred.fromCoroutine(server.stop(grace_seconds)) for server in servers])

    def _site(self, settings: ListenerSettings) -> Site:
        wanted = resources_of(settings.resources)
        endpoints = [pair for pair in self._endpoints if pair[0].resource in wanted]
        tag = settings.tag or str(settings.port if settings.path is None else settings.path)
        return Site(
            App(Router(endpoints), self._surroundings.authenticators, self._surroundings.elsewhere),
            self._surroundings.clock,
            AccessLog(self._surroundings.metrics, tag, [endpoint for endpoint, _ in endpoints]),
            self._surroundings.limits,
            TrustedProxies(settings.trusted_proxies) if settings.x_forwarded else None,
            settings.request_id_header,
        )

    def _listen_at_port(self, server: Server, port: int, addresses: tuple[str, ...], tls: Any) -> None:
        """Listen at each address; one that this machine does not have is passed over if another one works."""
        reactor, failures, count = self._surroundings.reactor, [], 0
        for address in sorted(addresses, key=lambda address: address != "::"):
            try:
                if tls is None:
                    listening = reactor.listenTCP(port, server, backlog=1024, interface=address)
                else:
                    listening = reactor.listenSSL(port, server, tls, backlog=1024, interface=address)
            except CannotListenError as error:
                failures.append(_explain(address, port, error))
                if not _is_dispensable(error, address, addresses):
                    raise CannotListen(failures[-1]) from error
            else:
                self._ports.append(listening)
                count += 1
        if not count:
            raise CannotListen("; ".join(failures) or f"No address is given for port {port}")
        for failure in failures:
            logger.warning("%s", failure)

    def _listen_at_path(self, server: Server, path: Path, mode: int) -> None:
        _remove_left_over(path)
        try:
            self._ports.append(self._surroundings.reactor.listenUNIX(str(path), server, backlog=1024, mode=mode))
        except CannotListenError as error:
            raise CannotListen(f"Cannot listen at {path}: {error.socketError}") from error


def resources_of(names: Iterable[str]) -> frozenset[str]:
    """Return the resources that a listener serves, given those that it names."""
    return frozenset({"health"}).union(*(IMPLIED.get(name, frozenset({name})) for name in names))


def _explain(address: str, port: int, error: CannotListenError) -> str:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if getattr(error.socketError, "errno", None) == errno.EADDRINUSE:
        return f"Cannot listen at {place}: the port is in use. Is the server running already?"
    return f"Cannot listen at {place}: {error.socketError}"


def _is_dispensable(error: CannotListenError, address: str, addresses: tuple[str, ...]) -> bool:
    """Return whether we can do without an address: `::` covers `0.0.0.0`, and not every machine has IPv6."""
    code = getattr(error.socketError, "errno", None)
    if code == errno.EADDRINUSE:
        return address == "0.0.0.0" and "::" in addresses
    return len(addresses) > 1 and code in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def _remove_left_over(path: Path) -> None:
    """Remove a socket on which nobody listens, as a killed process leaves it behind. Raises CannotListen otherwise."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise CannotListen(f"Cannot listen at {path}: there is a file of that name")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise CannotListen(f"Cannot listen at {path}: another process listens there")


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
