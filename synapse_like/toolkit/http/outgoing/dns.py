"""Name lookups with Twisted's resolver: addresses, and services (SRV). Answers are kept for as long as they may be.

Twisted's own resolver, as it asks for SRV records, waits without threads and comes with what we have anyway.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import DeferredList
from twisted.names import client, dns, hosts, resolve
from twisted.names.error import DNSNameError

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.outgoing.addresses import is_ip_literal
from synapse_like.toolkit.http.outgoing.errors import NameLookupFailed, NameNotFound
from synapse_like.toolkit.shared import SharedWork

T = TypeVar("T")

TIMEOUTS_S: Final = (1, 3, 6)
LONGEST_S: Final = 60 * 60
SHORTEST_S: Final = 5
NOT_FOUND_S: Final = 60
LONGEST_NAME: Final = 253
LONGEST_LABEL: Final = 63
KEPT_NAMES: Final = 10_000
MOST_RECORDS: Final = 32
"""More records of a name than this are not looked at."""


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """Where a service is: of the lowest priority, weighted."""

    priority: int
    weight: int
    port: int
    target: str


class Dns:
    """Looks names up. `servers` replaces those of the system, and its file of hosts with them."""

    def __init__(self, reactor: Any, clock: Clock, servers: Sequence[tuple[str, int]] | None = None) -> None:
        self._reactor = reactor
        self._servers = servers
        self._made: Any = None
        self._search = () if servers else _search_domains(Path("/etc/resolv.conf"))
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[int, Any]] = OrderedDict()
        self._lookups: SharedWork[tuple[str, str], Any] = SharedWork()

    @property
    def _resolver(self) -> Any:
        """Twisted's resolver, made when it is first needed: it watches the system's settings from then on."""
        if self._made is None:
            self._made = _resolver(self._reactor, self._servers)
        return self._made

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host, IPv6 and IPv4 in turn; of an address, itself.

        Raises NameNotFound or NameLookupFailed.
        """
        if is_ip_literal(host):
            return [host]
        names = [host] if "." in host else [*(f"{host}.{domain}" for domain in self._search), host]
        for name in names[:-1]:
            try:
                return await self._kept("address", name, self._look_up_addresses)
            except NameNotFound:
                pass
        return await self._kept("address", names[-1], self._look_up_addresses)

    async def services(self, name: str) -> list[ServiceRecord]:
        """Return the SRV records of a name; none if there are none. Raises NameLookupFailed."""
        return await self._kept("service", name, self._look_up_services)

    async def _kept(self, kind: str, name: str, look_up: Callable[[str], Awaitable[tuple[T, int]]]) -> T:
        if not _can_be_asked_for(name):
            raise NameNotFound("The name of the other server cannot be that of a host")
        key = (kind, name.lower().rstrip("."))
        known = self._known.get(key)
        if known is None or known[0] <= self._clock.monotonic_ms():
            known = await self._lookups.run(key, lambda: self._look_up(key, look_up))
        if isinstance(known[1], Exception):
            raise type(known[1])(str(known[1]))
        value: T = known[1]
        return value

    async def _look_up(
        self, key: tuple[str, str], look_up: Callable[[str], Awaitable[tuple[T, int]]]
    ) -> tuple[int, Any]:
        value: Any
        try:
            value, seconds = await look_up(key[1])
        except (NameNotFound, NameLookupFailed) as error:
            value, seconds = error, NOT_FOUND_S if isinstance(error, NameNotFound) else SHORTEST_S
        known = (self._clock.monotonic_ms() + 1000 * min(max(seconds, SHORTEST_S), LONGEST_S), value)
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > KEPT_NAMES:
            self._known.popitem(last=False)
        return known

    async def _look_up_addresses(self, name: str) -> tuple[list[str], int]:
        lookups = [self._resolver.lookupIPV6Address(name, TIMEOUTS_S), self._resolver.lookupAddress(name, TIMEOUTS_S)]
        outcomes = await DeferredList(lookups, consumeErrors=True)
        records = [_records(value, kind) for (_, value), kind in zip(outcomes, (dns.AAAA, dns.A), strict=True)]
        pairs = chain.from_iterable(zip_longest(*records))
        found = [record.payload.address for record in pairs if record is not None]
        if found:
            texts = [str(ip_address(address)) for address in found]
            return texts, min(record.ttl for some in records for record in some)
        for _, failure in outcomes:
            if not _says_that_nothing_is_there(failure):
                raise NameLookupFailed(f"{name} cannot be looked up at the moment")
        raise NameNotFound(f"{name} has no address")

    async def _look_up_services(self, name: str) -> tuple[list[ServiceRecord], int]:
        ((_, value),) = await DeferredList([self._resolver.lookupService(name, TIMEOUTS_S)], consumeErrors=True)
        records = _records(value, dns.SRV)
        if not records and not _says_that_nothing_is_there(value):
            raise NameLookupFailed(f"{name} cannot be looked up at the moment")
        found = [
            ServiceRecord(data.priority, data.weight, data.port, data.target.name.decode("ascii", "replace"))
            for data in (record.payload for record in records)
        ]
        return found, min((record.ttl for record in records), default=NOT_FOUND_S)


def _resolver(reactor: Any, servers: Sequence[tuple[str, int]] | None) -> Any:
    names: Any = client  # Twisted does not annotate its resolvers
    if servers:
        return names.Resolver(servers=list(servers), timeout=TIMEOUTS_S, reactor=reactor)
    chain: Any = resolve.ResolverChain
    file: Any = hosts.Resolver
    return chain([file(), names.Resolver(resolv="/etc/resolv.conf", timeout=TIMEOUTS_S, reactor=reactor)])


def _can_be_asked_for(name: str) -> bool:
    """Whether a name fits into a question (RFC 1035, 2.3.4)."""
    labels = name.rstrip(".").split(".")
    return name.isascii() and len(name) <= LONGEST_NAME and all(0 < len(label) <= LONGEST_LABEL for label in labels)


def _records(answer: Any, kind: int) -> list[Any]:
    """Return the records of a kind in an answer; none if it is a failure."""
    if not isinstance(answer, tuple):
        return []
    return [record for record in answer[0] if record.type == kind][:MOST_RECORDS]


def _says_that_nothing_is_there(answer: Any) -> bool:
    """Whether an answer says for sure that there are no such records: it has none, or the name does not exist."""
    return isinstance(answer, tuple) or answer.check(DNSNameError) is not None


def _search_domains(path: Path) -> tuple[str, ...]:
    """Return the domains in which the system looks for names without a dot."""
    try:
        lines = path.read_text("ascii", "replace").splitlines()
    except OSError:
        return ()
    found = [line.split()[1:] for line in lines if line.split()[:1] in (["search"], ["domain"])]
    return tuple(domain.strip(".") for domain in found[-1] if domain.strip(".")) if found else ()
