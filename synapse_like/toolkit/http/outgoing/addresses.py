"""Which addresses may be connected to."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


class AddressRules:
    """Networks that are denied, and networks that are allowed all the same.

    An IPv6 address that stands for an IPv4 address (mapped, NAT64, 6to4, Teredo) must pass as both.
    """

    def __init__(self, denied: Iterable[str], allowed: Iterable[str] = ()) -> None:
        """Take networks or single addresses as text. Raises ValueError for anything else."""
        self._denied = [ip_network(text, strict=False) for text in denied]
        self._allowed = [ip_network(text, strict=False) for text in allowed]
        self.allows = lru_cache(maxsize=4096)(self._allows)

    def _allows(self, text: str) -> bool:
        """Whether an address may be connected to; False for what is no address."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return all(self._passes(each) for each in (address, *_meant_by(address)))

    def _passes(self, address: Address) -> bool:
        return any(address in network for network in self._allowed) or not any(
            address in network for network in self._denied
        )


EVERY_ADDRESS: Final = AddressRules(())
"""For addresses that the administrator has chosen."""


def _meant_by(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for, or is reached through."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def is_ip_literal(host: str) -> bool:
    """Whether a host is an address rather than a name; IPv6 without its brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
