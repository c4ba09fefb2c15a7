"""What finding a server ends with, and reading server names."""

from dataclasses import dataclass

from synapse_like.toolkit.http.outgoing.addresses import is_ip_literal

Place = tuple[str, int]
"""A host (a name, or an address without brackets) and a port."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server."""

    places: tuple[Place, ...]
    """Where to connect, the best first."""
    host_header: str
    """What the ``Host`` header says."""
    tls_name: str
    """What the certificate must be for: a name, or an address without brackets."""


@dataclass(frozen=True, slots=True)
class NameParts:
    """A valid server name in its parts."""

    name: str
    host: str
    """A name, or an address without brackets."""
    port: int | None

    @property
    def is_address(self) -> bool:
        """Whether the host is an address."""
        return is_ip_literal(self.host)

    @classmethod
    def of(cls, name: str) -> "NameParts":
        """Take a valid server name apart."""
        head, colon, port = name.rpartition(":")
        if not colon or not port.isdecimal() or (":" in head and not head.endswith("]")):
            return cls(name, name.strip("[]"), None)
        return cls(name, head.strip("[]"), int(port))

    def direct(self, default_port: int) -> Route:
        """The way to an address, or to a port that is given: no questions asked."""
        port = default_port if self.port is None else self.port
        return Route(((self.host, port),), self.name, self.host)
