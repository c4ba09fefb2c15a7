"""Our server as a cluster that federates: writers, a receiver and senders behind HAProxy, which ends TLS for others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit.cluster import Cluster
from tests.kit.peers import Peer

PROCESSES = {"event_writer": 2, "sync": 1, "client": 1, "federation_receiver": 1, "federation_sender": 2}

_FRONT = """
frontend servers
    mode tcp
    option tcplog
    bind 127.0.0.1:{federation} ssl crt {certificate}
    default_backend requests
backend requests
    mode tcp
    server requests 127.0.0.1:{port}
"""


class ClusterPeer(Cluster, Peer):
    """A peer of many processes, on PostgreSQL."""

    def __init__(self, folder: Path, bus: str = "tcp", counts: Mapping[str, int] = PROCESSES) -> None:
        super().__init__(folder, bus, counts)
        certificate = folder / "tls.pem"
        certificate.write_text(self._chain.read_text() + self._key.read_text())
        front = _FRONT.format(federation=self.federation_port, certificate=certificate, port=self.port)
        with (folder / "haproxy.cfg").open("a") as config:
            config.write(front)

    def _configuration(self, database: Mapping[str, Any]) -> dict[str, Any]:
        configuration = super()._configuration(database)
        plain = [listener for listener in configuration["listeners"] if not listener.get("tls")]
        return {**configuration, "listeners": plain}
