"""Where the processes of each kind are: what the options ``--backend`` and ``--dns`` say.

An address with a number is one process; one with a name may be many, all that the name resolves to (a headless
Service of Kubernetes, a name with several A records).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from workers.kinds import KINDS, MAIN, Kind

DEFAULT_DNS: Final = "synapse-like-{kind}:8008"
"""Names as the manifests for Kubernetes use them."""
_MOST_ADDRESSES: Final = 256


class BadUpstream(ValueError):
    """An option that says where processes are cannot be understood."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port. `host` is without brackets."""

    host: str
    port: int

    @property
    def is_name(self) -> bool:
        """True if the host has to be resolved."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The addresses of all kinds that have processes, `main` always among them."""

    addresses: Mapping[Kind, tuple[Address, ...]]

    @property
    def kinds(self) -> list[Kind]:
        """The kinds that have addresses, in the order of the kinds."""
        return [kind for kind in KINDS if kind in self.addresses]

    def kind_instead_of(self, kind: Kind) -> Kind:
        """The kind itself if it has addresses, else main."""
        return kind if kind in self.addresses else MAIN


def read_upstreams(backends: Iterable[str] = (), dns: str | None = None) -> Upstreams:
    """Understand ``KIND=HOST:PORT,...`` and a template of names with ``{kind}``. Raises BadUpstream.

    Backends that are named win over the template; with neither, names of a template of Kubernetes are taken.
    """
    named = dict(_read_backend(text) for text in backends)
    if dns is None and not named:
        dns = DEFAULT_DNS
    if dns is not None:
        named = {**{kind: (_by_template(dns, kind),) for kind in KINDS if kind.serves_requests}, **named}
    if MAIN not in named:
        raise BadUpstream("main must have an address: it takes the requests of kinds that have no process")
    return Upstreams(named)


def address_from(text: str) -> Address:
    """Understand ``host:port`` or ``[::1]:port``. Raises BadUpstream."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise BadUpstream(f"{text} is no address such as 10.0.0.1:8008 or name:8008")
    if not all(each.isalnum() or each in ".-:_" for each in host) or not host.isascii():
        raise BadUpstream(f"{host} is no name of a host")
    return Address(host, int(port))


def _by_template(dns: str, kind: Kind) -> Address:
    return address_from(dns.replace("{kind}", kind.name.replace("_", "-")))


def _read_backend(text: str) -> tuple[Kind, tuple[Address, ...]]:
    name, _, listed = text.partition("=")
    kinds = {kind.name: kind for kind in KINDS if kind.serves_requests}
    if name not in kinds:
        raise BadUpstream(f"{name} is no kind of process that takes requests; there are {', '.join(kinds)}")
    addresses = tuple(address_from(each) for each in listed.split(","))
    if len(addresses) > _MOST_ADDRESSES:
        raise BadUpstream(f"{name} has more than {_MOST_ADDRESSES} addresses; use a name that resolves to them")
    return kinds[name], addresses
