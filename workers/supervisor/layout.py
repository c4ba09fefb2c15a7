"""Which processes a cluster on one machine has, by which names, and where each listens."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from workers.kinds import KINDS, MAIN, Kind
from workers.routes.upstreams import Address, Upstreams

LOOPBACK: Final = "127.0.0.1"
_LAST_PORT: Final = 65_535


class NoPort(OSError):
    """Too few ports are free."""


@dataclass(frozen=True, slots=True)
class Place:
    """One process of ours: its kind and name, where it takes requests, and where it tells of itself."""

    kind: Kind
    name: str
    listen: Address
    metrics: Address

    def command(self, program: Sequence[str], configs: Sequence[str]) -> list[str]:
        """The command that runs it."""
        files = [part for path in configs for part in ("-c", path)]
        where = ["--name", self.name, "--listen", str(self.listen), "--metrics", str(self.metrics)]
        return [*program, self.kind.name, *files, *where]


def places(counts: Mapping[Kind, int], first_port: int) -> list[Place]:
    """One main and so many of the other kinds, at ports of loopback that are free now. Raises NoPort."""
    free = _free_ports(first_port)
    names = [(kind, f"{kind.name}{n}") for kind in KINDS if kind is not MAIN for n in range(1, counts.get(kind, 0) + 1)]
    try:
        return [
            Place(kind, name, Address(LOOPBACK, next(free)), Address(LOOPBACK, next(free)))
            for kind, name in [(MAIN, MAIN.name), *names]
        ]
    except StopIteration:
        raise NoPort(f"there are not {2 * len(names) + 2} free ports above {first_port}") from None


def upstreams_of(found: Sequence[Place]) -> Upstreams:
    """Where a proxy finds them."""
    kinds = dict.fromkeys(place.kind for place in found if place.kind.serves_requests)
    return Upstreams({kind: tuple(place.listen for place in found if place.kind is kind) for kind in kinds})


def obstacle(address: Address) -> int | None:
    """The system's error number (EADDRINUSE: somebody listens there) if we cannot listen there."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return error.errno
    return None


def _free_ports(first: int) -> Iterator[int]:
    for port in range(first, _LAST_PORT + 1):
        if obstacle(Address(LOOPBACK, port)) is None:
            yield port
