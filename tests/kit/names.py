"""A DNS server of the tests, on a loopback port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet import defer, reactor
from twisted.names import dns, error, server

TTL_S = 300
_REACTOR: Any = reactor
_RECORD: Any = dns.RRHeader


class Zone:
    """What the server knows. A name that is not here does not exist; `broken` names get SERVFAIL."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.services: dict[str, list[tuple[int, int, int, str]]] = {}
        self.aliases: dict[str, str] = {}
        self.broken: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.port = 0

    def query(self, query: Any, timeout: Any = None) -> Any:
        """Answer a query; Twisted's DNS server calls this."""
        name = query.name.name.decode().lower()
        self.asked.append((name, query.type))
        if name in self.broken:
            return defer.fail(RuntimeError("broken"))  # anything but a DomainError becomes SERVFAIL
        records: list[Any] = []
        asked = name
        if name in self.aliases:
            asked = self.aliases[name]
            records.append(_RECORD(name, dns.CNAME, ttl=TTL_S, payload=dns.Record_CNAME(asked, TTL_S)))
        for address in self.addresses.get(asked, []):
            kind, record = (dns.AAAA, dns.Record_AAAA) if ":" in address else (dns.A, dns.Record_A)
            if query.type == kind:
                records.append(_RECORD(asked, kind, ttl=TTL_S, payload=record(address, TTL_S)))
        if query.type == dns.SRV:
            for priority, weight, port, target in self.services.get(asked, []):
                payload = dns.Record_SRV(priority, weight, port, target.rstrip(".").encode(), TTL_S)
                records.append(_RECORD(asked, dns.SRV, ttl=TTL_S, payload=payload))
        if not records and asked not in {*self.addresses, *self.services}:
            return defer.fail(error.DomainError(name))
        return defer.succeed((records, [], []))

    def asked_for(self, name: str) -> int:
        """How often a name was asked for."""
        return sum(asked == name.lower() for asked, _ in self.asked)


@asynccontextmanager
async def serving() -> AsyncIterator[Zone]:
    """A running DNS server; what it answers may be changed at any time."""
    zone = Zone()
    factory = server.DNSServerFactory(clients=[zone])
    factory.noisy = False
    protocol = dns.DNSDatagramProtocol(factory)
    protocol.noisy = False
    port: Any = _REACTOR.listenUDP(0, protocol, interface="127.0.0.1")
    zone.port = port.getHost().port
    yield zone
    await defer.maybeDeferred(port.stopListening)
