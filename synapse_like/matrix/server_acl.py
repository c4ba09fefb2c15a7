"""Which servers a room lets in: its m.room.server_acl.

Source: client-server API, "Server ACLs"; server-server API, "Server Access Control Lists (ACLs)".
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from synapse_like.matrix.events import Event
from synapse_like.matrix.globs import TextMatcher, match_whole

SERVER_ACL = ("m.room.server_acl", "")
"""The state key of a room's ACL."""
_MAX_PATTERNS = 10_000


class ServerAcl:
    """The rules of one m.room.server_acl event."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._allows_ip_literals = content.get("allow_ip_literals") is not False
        self._allow = _patterns(content.get("allow"))
        self._deny = _patterns(content.get("deny"))

    def allows(self, server: str) -> bool:
        """Whether the server may take part. Ports do not matter, nor does case."""
        host = _host(server).lower()
        if not self._allows_ip_literals and _is_ip_literal(host):
            return False
        return not _matches(self._deny, host) and _matches(self._allow, host)


def lets_in(acl: Event | None, server: str) -> bool:
    """Whether a room's m.room.server_acl (None: the room has none) lets a server take part."""
    return acl is None or _acl_of(acl).allows(server)


@lru_cache(maxsize=2_000)
def _acl_of(event: Event) -> ServerAcl:
    return ServerAcl(event.content)


def _patterns(value: Any) -> list[TextMatcher]:
    """What is no list of strings is an empty list: an ACL without a good `allow` lets nobody in."""
    if not isinstance(value, list):
        return []
    return [_compiled(pattern.lower()) for pattern in value[:_MAX_PATTERNS] if isinstance(pattern, str)]


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> TextMatcher:
    return match_whole(pattern)


def _matches(patterns: list[TextMatcher], host: str) -> bool:
    return any(matches(host) for matches in patterns)


def _host(server: str) -> str:
    """The name without its port."""
    if server.startswith("["):
        return server.partition("]")[0] + "]"
    return server.partition(":")[0]


def _is_ip_literal(host: str) -> bool:
    if host.startswith("["):
        return True
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True
