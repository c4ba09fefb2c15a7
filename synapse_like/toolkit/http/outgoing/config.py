"""The keys of outgoing connections: which addresses are never connected to."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from synapse_like.toolkit.config.options import option

INTERNAL_NETWORKS: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
"""Loopback, private, link-local, multicast, documentation and reserved networks."""


@dataclass(frozen=True)
class OutgoingConfig:
    """Connections to other servers: homeservers, push gateways, pages that are previewed."""

    ip_range_blacklist: tuple[str, ...] = option(
        INTERNAL_NETWORKS, "Networks that are never connected to when a user or another server has chosen the address."
    )
    ip_range_whitelist: tuple[str, ...] = option((), "Networks that are connected to even if they are listed above.")
    federation_ip_range_blacklist: tuple[str, ...] | None = option(
        None, "The list for connections to other homeservers, if it is another one than ip_range_blacklist."
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is no network."""
        for key in ("ip_range_blacklist", "ip_range_whitelist", "federation_ip_range_blacklist"):
            for text in getattr(self, key) or ():
                try:
                    ip_network(text, strict=False)
                except ValueError as error:
                    yield key, str(error)
