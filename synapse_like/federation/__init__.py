"""Federation: finding other servers, trusting them, and talking with them. Knows no feature.

Here live the client, the keys, and how requests of other servers are authenticated (`Auth.FEDERATION`). What is sent
and taken is built on it in the folders below; `build` is called by the composition root as that of a feature.
"""

import logging
from pathlib import Path

from synapse_like.federation.api import VersionApi
from synapse_like.federation.authentication import SignatureAuthenticator
from synapse_like.federation.client import FederationClient
from synapse_like.federation.config import FederationConfig
from synapse_like.federation.front import Federation
from synapse_like.federation.keys import KeyRing
from synapse_like.federation.keys.api import KeysApi
from synapse_like.federation.keys.fetching import KeyFetcher
from synapse_like.federation.keys.notaries import Notaries
from synapse_like.federation.keys.notary import Notary
from synapse_like.federation.keys.own import OwnKeys
from synapse_like.federation.keys.store import KeyStore
from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.recommendations import Recommendations
from synapse_like.federation.resolution import Ports, ServerResolver, WellKnown
from synapse_like.federation.tls import FederationTls
from synapse_like.federation.transport import Transport
from synapse_like.matrix.signing_keys import SigningKey, read_signing_keys
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.http.outgoing import AddressRules, Connector, HttpClient, OutgoingConfig
from synapse_like.toolkit.http.outgoing.pool import Pool
from synapse_like.toolkit.metrics.outgoing import OutgoingMetrics
from synapse_like.toolkit.threads import Threads

__all__ = ["FEATURE", "Federation", "FederationClient", "KeyRing", "ServerPolicy"]

logger = logging.getLogger(__name__)


def build(kit: Kit, rooms: Rooms) -> Built:
    """The client, the keys, and the endpoints that publish ours; no endpoints if federation is off."""
    config = kit.config[FederationConfig]
    policy = ServerPolicy(config, kit.server_name)
    pool = Pool(kit.clock, OutgoingMetrics(kit.metrics, "federation"))
    client = FederationClient(rooms.identity, policy, _transport(kit, pool))
    own = OwnKeys(kit.server_name, _signing_keys(kit), config)
    store = KeyStore(kit.database)
    notaries = Notaries(config.trusted_key_servers, client, kit.clock)
    fetcher = KeyFetcher(client, notaries, store, kit.clock)
    ring = KeyRing(own, store, fetcher, Threads(kit.network.reactor), kit.clock)
    notaries.is_signed = ring.is_signed_by_notary
    callers = SignatureAuthenticator(kit.server_name, policy, ring, kit.clock)
    _warn_of_default_notary(config)
    if policy.is_enabled:
        recommendations = Recommendations(client, rooms.hosts, rooms.events)
        rooms.creation.policy_servers = rooms.reception.policy_servers = recommendations
    apis = [KeysApi(own, Notary(own, store, fetcher, kit.clock), kit.clock), VersionApi()]
    return Built(
        fronts=[Federation(policy, client, ring, callers), callers],
        apis=apis if policy.is_enabled else (),
        services=[_Connections(pool)],
    )


class _Connections:
    """Closes the kept connections at the end."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def start(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def stop(self) -> None:
        """Close them."""
        self._pool.close()


def _transport(kit: Kit, pool: Pool) -> Transport:
    outgoing, network = kit.config[OutgoingConfig], kit.network
    denied = outgoing.federation_ip_range_blacklist
    rules = AddressRules(outgoing.ip_range_blacklist if denied is None else denied, outgoing.ip_range_whitelist)
    connector = Connector(network.reactor, network.dns, rules)
    tls = FederationTls(kit.config[FederationConfig])
    well_known = WellKnown(HttpClient(network.reactor, connector, tls, pool), kit.clock, kit.randomness)
    resolver = ServerResolver(network.dns, well_known, kit.randomness, Ports())
    return Transport(network.reactor, resolver, connector, tls, pool)


def _signing_keys(kit: Kit) -> list[SigningKey]:
    return read_signing_keys(Path(str(kit.config[ServerConfig].signing_key_path)).read_text())


def _warn_of_default_notary(config: FederationConfig) -> None:
    if config.suppress_key_server_warning or not config.federation_enabled:
        return
    if any(trusted.server_name == "matrix.org" for trusted in config.trusted_key_servers):
        logger.warning(
            "matrix.org is trusted to tell the keys of other servers. If that is what you want, set "
            "suppress_key_server_warning; if not, set trusted_key_servers."
        )


FEATURE = Feature(
    name="federation",
    build=build,
    package=__name__,
    apis=(KeysApi, VersionApi),
    configs=(FederationConfig,),
)
