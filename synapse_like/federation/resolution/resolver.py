"""The steps of finding a server, in the order of the specification."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from synapse_like.federation.errors import Unresolvable
from synapse_like.federation.resolution.route import NameParts, Place, Route
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.http.outgoing.dns import Dns, ServiceRecord
from synapse_like.toolkit.http.outgoing.errors import NameLookupFailed, NameNotFound
from synapse_like.toolkit.randomness import Randomness

MOST_PLACES: Final = 8
SERVICES: Final = ("_matrix-fed._tcp", "_matrix._tcp")
"""The service that is looked up, and its old name."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the specification; tests have others."""

    federation: int = 8448
    well_known: int = 443


class Delegations(Protocol):
    """The part of `WellKnown` that is used here."""

    async def delegate_of(self, host: str) -> str | None:
        """Return the server name that a host delegates to, or None."""


class ServerResolver:
    """Finds servers."""

    def __init__(self, dns: Dns, well_known: Delegations, randomness: Randomness, ports: Ports) -> None:
        self._dns = dns
        self._well_known = well_known
        self._randomness = randomness
        self._ports = ports

    async def route_to(self, server: str) -> Route:
        """Return the way to a server. Raises Unresolvable. Names are not turned into addresses here."""
        if not is_valid_server_name(server):
            raise Unresolvable(f"{server[:255]!r} is no server name")
        parts = NameParts.of(server)
        if parts.is_address or parts.port is not None:
            return parts.direct(self._ports.federation)
        delegate = await self._well_known.delegate_of(parts.host)
        if delegate is not None:
            parts = NameParts.of(delegate)
            if parts.is_address or parts.port is not None:
                return parts.direct(self._ports.federation)
        places = await self._places_by_service(parts.host) or ((parts.host, self._ports.federation),)
        return Route(places, parts.name, parts.host.rstrip("."))

    async def _places_by_service(self, host: str) -> tuple[Place, ...]:
        """Return where SRV records lead to; nothing if there are none, or they cannot be looked up.

        Raises Unresolvable if they say that there is no such service (a target of ".").
        """
        for service in SERVICES:
            try:
                records = await self._dns.services(f"{service}.{host}")
            except (NameLookupFailed, NameNotFound):
                continue
            if records:
                places = tuple((each.target, each.port) for each in self._in_order(records) if each.target.strip("."))
                if not places:
                    raise Unresolvable(f"{host} says that it has no Matrix server")
                return places[:MOST_PLACES]
        return ()

    def _in_order(self, records: Iterable[ServiceRecord]) -> Iterator[ServiceRecord]:
        """Yield records by priority, and within one in an order drawn by weight (RFC 2782)."""
        waiting = sorted(records, key=lambda each: (each.priority, each.weight))
        while waiting:
            best = [each for each in waiting if each.priority == waiting[0].priority]
            drawn = self._randomness.random_below(sum(each.weight for each in best) + 1)
            sums = accumulate(each.weight for each in best)
            chosen = next(each for each, reached in zip(best, sums, strict=True) if reached >= drawn)
            waiting.remove(chosen)
            yield chosen
