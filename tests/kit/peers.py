"""Servers that speak with each other over TLS on loopback: a name with a port, so that no DNS is needed.

The name's port is that of a ``Crossing`` in front of the server, which tests close to part the servers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kit import certificates, ports, postgres
from tests.kit.crossing import Crossing
from tests.kit.server import UNLIMITED, Server

IMPATIENT = {
    "client_timeout": 20_000,
    "max_short_retry_delay": 200,
    "max_long_retry_delay": 1000,
    "max_short_retries": 2,
    "max_long_retries": 3,
    "destination_min_retry_interval": 500,
    "destination_retry_multiplier": 2,
    "destination_max_retry_interval": 2000,
}
"""A partner that was away is asked again within seconds, not minutes. Durations are in milliseconds."""

GENEROUS = {
    "rc_federation": {
        "window_size": 1000,
        "sleep_limit": 100_000,
        "sleep_delay": 1,
        "reject_limit": 100_000,
        "concurrent": 50,
    },
    "federation_rr_transactions_per_room_per_second": 1000,
}


class Peer(Server):
    """Our server with federation; ``host`` is the name that others know it by, without its port."""

    def __init__(
        self,
        folder: Path,
        database: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        host: str = "localhost",
        has_crossing: bool = True,
    ) -> None:
        self.federation_port = ports.claim()
        self.crossing = Crossing(ports.claim(), self.federation_port) if has_crossing else None
        self.server_name = f"{host}:{self.crossing.port if self.crossing else self.federation_port}"
        self._chain, self._key = certificates.issue(folder, host)
        super().__init__(folder, database, options)

    def user_id(self, name: str) -> str:
        """The full id of a user of this server."""
        return f"@{name}:{self.server_name}"

    def _configuration(self, database: Mapping[str, Any]) -> dict[str, Any]:
        configuration = super()._configuration(database)
        resources = [{"names": ["federation"], "compress": False}]
        configuration["listeners"].append(
            {
                "port": self.federation_port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": True,
                "resources": resources,
            }
        )
        return {
            **configuration,
            "server_name": self.server_name,
            "tls_certificate_path": str(self._chain),
            "tls_private_key_path": str(self._key),
            "federation_custom_ca_list": [str(certificates.authority_file())],
            "ip_range_whitelist": ["127.0.0.0/8", "::1/128"],
            "allow_public_rooms_over_federation": True,
            "federation": IMPATIENT,
            **GENEROUS,
            **UNLIMITED,
        }


def open_peer(kind: str, folder: Path, **options: Any) -> Peer:
    """Return a peer that is not yet started, on an empty database of that kind; ``options`` are those of ``Peer``."""
    folder.mkdir(exist_ok=True)
    if kind == "sqlite":
        return Peer(folder, {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}, **options)
    arguments = {**postgres.create_database(), "cp_min": 2, "cp_max": 5}
    return Peer(folder, {"name": "psycopg2", "args": arguments}, **options)


@contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    """Run a peer for some tests. The end of its log is printed, for pytest to show where a test failed."""
    try:
        with peer:
            yield peer
    finally:
        if peer.crossing is not None:
            peer.crossing.close()
        print(peer.log_text()[-6000:])
