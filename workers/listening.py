"""A server, or one process of it, with its listeners: those of homeserver.yaml, or the one of the command line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.http.listeners import Listeners, ListenerSettings, Surroundings
from synapse_like.toolkit.http.proxies import PRIVATE_NETWORKS
from synapse_like.toolkit.http.tls import TlsFiles
from synapse_like.toolkit.metrics.http import HttpMetrics
from workers.build import Homeserver, build_kit, build_sharing
from workers.observing import listen_for_metrics, observe_process, served_resources
from workers.together import Process

STOP_GRACE_SECONDS = 2.0
MACHINES_GRACE_SECONDS = 0.2
RESOURCES = frozenset({"client", "federation"})
"""What a process serves at the address of its command line: everything; what it is sent is for the proxy to say.

Metrics are not for everybody whom the proxy lets in: they have an address of their own.
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a process listens. `listen` is host:port; None: as homeserver.yaml says; empty: nowhere."""

    listen: str | None = None
    metrics: str | None = None


class ListeningServer:
    """A homeserver and its listeners. Those for machines, with metrics and health, open first and close last."""

    def __init__(self, homeserver: Homeserver, reactor: Any, places: Places) -> None:
        self.homeserver = homeserver
        self._places = places
        kit, elsewhere = homeserver.kit, homeserver.elsewhere()
        metrics = HttpMetrics(kit.metrics)
        surroundings = Surroundings(reactor, kit.clock, homeserver.authenticators, elsewhere, metrics)
        self.listeners = Listeners(surroundings, homeserver.answers)
        self._for_machines = Listeners(surroundings, homeserver.answers)
        process = homeserver.process
        self._stop_observing = observe_process(kit, reactor, self.listeners, kind=process.kind.name, name=process.name)

    async def start(self) -> None:
        """Start the server, then listen."""
        if self._places.metrics:
            listen_for_metrics(self._for_machines, self._places.metrics)
        await self.homeserver.start()
        for settings in self._settings():
            self.listeners.start(settings)

    async def stop(self) -> None:
        """Give away what is owned, answer who waits, stop listening, then stop the server."""
        self.homeserver.readiness.drain()
        await self.homeserver.drain()
        self.homeserver.notifier.close()
        await self.listeners.stop(STOP_GRACE_SECONDS)
        await self.homeserver.stop()
        await self._for_machines.stop(MACHINES_GRACE_SECONDS)
        self._stop_observing()

    def _settings(self) -> Iterator[ListenerSettings]:
        if self._places.listen is None:
            yield from configured(self.homeserver.kit.config)
        elif self._places.listen:
            host, port = host_and_port(self._places.listen)
            yield ListenerSettings(
                port=port,
                addresses=(host,),
                resources=RESOURCES,
                x_forwarded=True,
                trusted_proxies=_trusted(self.homeserver.kit.config),
            )


def build_server(
    config: Config, reactor: Any, process: Process | None = None, places: Places | None = None
) -> ListeningServer:
    """The server that a configuration describes, or one process of it. On SQLite there is only one."""
    kit, places = build_kit(config, reactor), places or Places()
    if kit.database.engine.has_one_writer:
        return ListeningServer(Homeserver(kit, on_lost=reactor.stop), reactor, places)
    sharing = build_sharing(kit, reactor, process or Process())
    return ListeningServer(Homeserver(kit, sharing=sharing), reactor, places)


def configured(config: Config) -> Iterator[ListenerSettings]:
    """The listeners of homeserver.yaml."""
    for listener in config[ServerConfig].listeners:
        yield ListenerSettings(
            port=listener.port,
            addresses=listener.addresses,
            path=Path(listener.path) if listener.path else None,
            mode=int(listener.mode, 8),
            resources=served_resources(config, listener),
            x_forwarded=listener.x_forwarded,
            trusted_proxies=listener.trusted_proxies,
            request_id_header=listener.request_id_header,
            tag=listener.tag,
            tls=_tls(config) if listener.tls else None,
        )


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of host:port. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"must be ADDRESS:PORT, such as 127.0.0.1:8081, not {address!r}")
    return host.strip("[]"), int(port)


def _trusted(config: Config) -> tuple[str, ...]:
    """Whose X-Forwarded-For is believed: as a listener of homeserver.yaml says, if one does."""
    listeners = [listener for listener in config[ServerConfig].listeners if listener.x_forwarded]
    return listeners[0].trusted_proxies if listeners else PRIVATE_NETWORKS


def _tls(config: Config) -> TlsFiles:
    server = config[ServerConfig]
    return TlsFiles(Path(str(server.tls_certificate_path)), Path(str(server.tls_private_key_path)))
