"""With which servers this one talks: the switch, the whitelist and the block list."""

from collections.abc import Iterable

from synapse_like.federation.config import FederationConfig
from synapse_like.federation.errors import ServerDenied
from synapse_like.matrix.ids import is_valid_server_name


class ServerPolicy:
    """Says yes or no to a server's name, for what comes in and what goes out alike."""

    def __init__(self, config: FederationConfig, own_name: str) -> None:
        self.is_enabled = config.federation_enabled
        self.own_name = own_name
        whitelist = config.federation_domain_whitelist
        self._whitelist = None if whitelist is None else NamePatterns(whitelist, any_port=False)
        self._blocklist = NamePatterns(config.federation_domain_blocklist, any_port=True)

    def allows(self, server: str) -> bool:
        """Whether we talk with this server. Never with ourselves, nor with what is no server name."""
        if not self.is_enabled or server == self.own_name or self._blocklist.match(server):
            return False
        if self._whitelist is not None and not self._whitelist.match(server):
            return False
        return is_valid_server_name(server)

    def check(self, server: str) -> None:
        """Raise ServerDenied if we do not talk with this server."""
        if not self.allows(server):
            raise ServerDenied(f"This server does not federate with {server[:255]!r}")


class NamePatterns:
    """Server names, and ``*.example.com`` for every name that ends in ``.example.com``. Case does not matter.

    With `any_port` a pattern without a port means the server at every port.
    """

    def __init__(self, patterns: Iterable[str], *, any_port: bool) -> None:
        patterns = [pattern.lower() for pattern in patterns]
        self._exact = frozenset(pattern for pattern in patterns if not pattern.startswith("*"))
        self._suffixes = tuple(pattern[1:] for pattern in patterns if pattern.startswith("*"))
        self._any_port = any_port

    def match(self, server: str) -> bool:
        """Whether one of the patterns is meant."""
        name = server.lower()
        return self._is_named(name) or (self._any_port and self._is_named(_without_port(name)))

    def _is_named(self, name: str) -> bool:
        return name in self._exact or (bool(self._suffixes) and name.endswith(self._suffixes))


def _without_port(name: str) -> str:
    head, colon, port = name.rpartition(":")
    return head if colon and port.isdecimal() and (head.endswith("]") or ":" not in head) else name
