"""A client with everything below it but a database, for servers of the tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor

from synapse_like.federation.client import FederationClient
from synapse_like.federation.config import FederationConfig
from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.resolution import Ports, ServerResolver, WellKnown
from synapse_like.federation.tls import FederationTls
from synapse_like.federation.transport import Transport
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.front import Identity
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.outgoing import AddressRules, Connector, Dns, HttpClient
from synapse_like.toolkit.http.outgoing.config import INTERNAL_NETWORKS
from synapse_like.toolkit.http.outgoing.pool import Pool
from synapse_like.toolkit.randomness import RepeatableRandomness
from tests.kit import certificates

OWN_NAME = "us.example"
OWN_KEY = SigningKey.from_seed("own", b"o" * 32)


@dataclass
class Parts:
    """The client, and what is below it."""

    client: FederationClient
    resolver: ServerResolver
    well_known: WellKnown
    pool: Pool
    clock: Any


def parts(
    dns_port: int,
    ports: Ports | None = None,
    *,
    allowed: Sequence[str] = ("127.0.0.0/8",),
    clock: Any = None,
    make_tls: Callable[[FederationConfig], Any] = FederationTls,
    **keys: Any,
) -> Parts:
    """Build it all; `keys` are those of `FederationConfig`."""
    clock = clock or Clock(reactor)
    config = FederationConfig(**{"federation_custom_ca_list": (str(certificates.authority_file()),), **keys})
    policy = ServerPolicy(config, OWN_NAME)
    connector = Connector(
        reactor, Dns(reactor, clock, [("127.0.0.1", dns_port)]), AddressRules(INTERNAL_NETWORKS, allowed)
    )
    ports, pool, tls = ports or Ports(), Pool(clock), make_tls(config)
    randomness = RepeatableRandomness(1)
    well_known = WellKnown(HttpClient(reactor, connector, tls, pool), clock, randomness, ports.well_known)
    resolver = ServerResolver(connector.dns, well_known, randomness, ports)
    transport = Transport(reactor, resolver, connector, tls, pool)
    return Parts(FederationClient(Identity(OWN_NAME, OWN_KEY), policy, transport), resolver, well_known, pool, clock)
