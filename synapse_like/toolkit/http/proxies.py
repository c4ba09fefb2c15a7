"""Who a client is when a proxy stands before us: the rule for ``X-Forwarded-For``."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from synapse_like.toolkit.http.headers import Headers

PRIVATE_NETWORKS: Final = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fe80::/10",
    "fc00::/7",
)
"""Loopback and private networks: the proxies that are trusted unless told otherwise."""


class TrustedProxies:
    """The networks whose word about their clients is believed."""

    def __init__(self, networks: Iterable[str] = PRIVATE_NETWORKS) -> None:
        """Take networks or single addresses as text. Raises ValueError for anything else."""
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(n, strict=False) for n in networks)
        self._trusts = lru_cache(maxsize=1024)(self._is_in_a_network)

    def trusts(self, address: str) -> bool:
        """Return whether an address is that of a trusted proxy; the empty address (a Unix socket) always is."""
        return not address or self._trusts(address)

    def client_ip(self, peer: str, headers: Headers) -> str:
        """Return the address of the client.

        That is the rightmost address in ``X-Forwarded-For`` that is not a trusted proxy's, or the leftmost if all
        are; the peer itself if it is no trusted proxy or says nothing that is an address.
        """
        client = peer
        for text in reversed(",".join(headers.getall("x-forwarded-for")).split(",")):
            if not self.trusts(client):
                break
            address = _address(text)
            if address is None:
                break
            client = str(address)
        return client

    def _is_in_a_network(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address written in any of the usual ways (``[::1]:80``, ``1.2.3.4:80``, ``::ffff:1.2.3.4``)."""
    text = text.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
