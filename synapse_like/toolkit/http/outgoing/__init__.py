"""Outgoing connections: names to addresses, addresses that are never connected to, TLS, and an HTTP/1.1 client.

For everything that this server asks of others: homeservers, push gateways, application services, pages. An address that
a user or another server has chosen is checked after the lookup and connected to as it was checked, so that no name can
lead into the network of the server.
"""

from synapse_like.toolkit.http.outgoing.addresses import AddressRules
from synapse_like.toolkit.http.outgoing.client import Answer, HttpClient
from synapse_like.toolkit.http.outgoing.config import OutgoingConfig
from synapse_like.toolkit.http.outgoing.connecting import Connector
from synapse_like.toolkit.http.outgoing.dns import Dns
from synapse_like.toolkit.http.outgoing.network import Network, build_network
from synapse_like.toolkit.http.outgoing.tls import ClientTls

__all__ = [
    "AddressRules",
    "Answer",
    "ClientTls",
    "Connector",
    "Dns",
    "HttpClient",
    "Network",
    "OutgoingConfig",
    "build_network",
]
