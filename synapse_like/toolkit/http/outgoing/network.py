"""What a process reaches others with, put together once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.outgoing.addresses import EVERY_ADDRESS, AddressRules
from synapse_like.toolkit.http.outgoing.client import HttpClient
from synapse_like.toolkit.http.outgoing.config import OutgoingConfig
from synapse_like.toolkit.http.outgoing.connecting import Connector
from synapse_like.toolkit.http.outgoing.dns import Dns
from synapse_like.toolkit.http.outgoing.pool import Meters, Pool
from synapse_like.toolkit.http.outgoing.tls import ClientTls


@dataclass(frozen=True, slots=True)
class Network:
    """Ways to others.

    * `reactor`   Twisted's, for what connects by itself
    * `dns`       looks names up
    * `pool`      connections that are kept
    * `guarded`   asks by URL, never at an address of `ip_range_blacklist`: for whatever users and servers choose
    * `trusted`   asks by URL at any address: for what the administrator has written into the configuration
    """

    reactor: Any
    dns: Dns
    pool: Pool
    guarded: HttpClient
    trusted: HttpClient


def build_network(
    reactor: Any,
    clock: Clock,
    config: OutgoingConfig,
    dns: Dns | None = None,
    meters: Callable[[str], Meters | None] = lambda purpose: None,
) -> Network:
    """The ways to others that the configuration describes; `dns` replaces that of the system.

    `meters` gives what counts the requests of a purpose: "guarded" or "trusted".
    """
    dns = dns or Dns(reactor, clock)
    tls = ClientTls()
    pool = Pool(clock, meters("guarded"))
    rules = AddressRules(config.ip_range_blacklist, config.ip_range_whitelist)
    return Network(
        reactor=reactor,
        dns=dns,
        pool=pool,
        guarded=HttpClient(reactor, Connector(reactor, dns, rules), tls, pool),
        trusted=HttpClient(reactor, Connector(reactor, dns, EVERY_ADDRESS), tls, Pool(clock, meters("trusted"))),
    )
