"""The grammar of identifiers: users, rooms, events, aliases, devices and servers.

Here lives what can be told from the text of an identifier alone. Whether the thing exists is for others.
Source: Appendices, "Identifier Grammar".
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NewType

from synapse_like.matrix.errors import InvalidParam

UserID = NewType("UserID", str)
RoomID = NewType("RoomID", str)
EventID = NewType("EventID", str)
RoomAlias = NewType("RoomAlias", str)
DeviceID = NewType("DeviceID", str)
ServerName = NewType("ServerName", str)

MAX_ID_BYTES = 255
"""The most bytes that a user, room or event id or an alias may have, sigil and domain included."""

_LOCALPART = re.compile(r"[a-z0-9._=\-/+]+")
_DNS_NAME = re.compile(r"[0-9A-Za-z.\-]{1,255}")
_LOOKS_LIKE_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_SERVER_NAME = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_HASHED_ROOM_ID = re.compile(r"![A-Za-z0-9_-]{43}")


def is_valid_server_name(text: str) -> bool:
    """Whether this is a host name, an IPv4 address or a bracketed IPv6 address, with or without a port."""
    match = _SERVER_NAME.fullmatch(text)
    if match is None:
        return False
    port = match["port"]
    if port is not None and int(port) > 65535:
        return False
    return _is_valid_host(match["host"])


def _is_valid_host(host: str) -> bool:
    if host.startswith("["):
        return _is_ipv6(host[1:-1])
    if _LOOKS_LIKE_IPV4.fullmatch(host):
        return all(len(part) <= 3 and int(part) <= 255 for part in host.split("."))
    return _DNS_NAME.fullmatch(host) is not None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def is_valid_localpart(text: str) -> bool:
    """Whether a new user may be registered under this name: one or more of `a-z 0-9 . _ = - / +`."""
    return _LOCALPART.fullmatch(text) is not None


def looks_like_user_id(text: str) -> bool:
    """Whether this reads `@localpart:server`, whatever its length: the check of senders of events.

    Any localpart without `:` and NUL passes, even the empty one: such users exist, and their events must be accepted.
    """
    localpart, server = _split(text, "@")
    return server is not None and "\0" not in localpart and is_valid_server_name(server)


def is_valid_user_id(text: str, *, historical: bool = True) -> bool:
    """Whether this is a user id: with `historical` as events may carry it, without it as may be registered today."""
    if not looks_like_user_id(text) or not _fits(text):
        return False
    return historical or is_valid_localpart(_split(text, "@")[0])


def parse_user_id(text: str) -> tuple[str, ServerName]:
    """Localpart and server of a user id (historical ones included); raises `InvalidParam` if it is none."""
    if not is_valid_user_id(text):
        raise InvalidParam(f"{text!r} is not a user ID")
    localpart, _, server = text[1:].partition(":")
    return localpart, ServerName(server)


def looks_like_room_id(text: str) -> bool:
    """Whether this reads like a room id of any version, whatever its length: the check of events."""
    if _HASHED_ROOM_ID.fullmatch(text):
        return True
    localpart, server = _split(text, "!")
    return server is not None and "\0" not in localpart and is_valid_server_name(server)


def is_valid_room_id(text: str) -> bool:
    """Whether this is a room id, with a domain (versions 1-11) or made of a hash alone (version 12)."""
    return looks_like_room_id(text) and _fits(text)


def is_domainless_room_id(text: str) -> bool:
    """Whether this is a room id of version 12 or later: the hash of the create event."""
    return _HASHED_ROOM_ID.fullmatch(text) is not None


def is_valid_room_alias(text: str) -> bool:
    """Whether this is a room alias, `#name:server`."""
    localpart, server = _split(text, "#")
    return bool(localpart) and server is not None and "\0" not in text and is_valid_server_name(server) and _fits(text)


def parse_room_alias(text: str) -> tuple[str, ServerName]:
    """Name and server of a room alias; raises `InvalidParam` if it is none."""
    if not is_valid_room_alias(text):
        raise InvalidParam(f"{text!r} is not a room alias")
    localpart, _, server = text[1:].partition(":")
    return localpart, ServerName(server)


def is_valid_event_id(text: str) -> bool:
    """Whether this may be the id of an event of any room version."""
    return len(text) > 1 and text.startswith("$") and "\0" not in text and _fits(text)


def domain_of(text: str) -> ServerName:
    """What stands behind the first colon of an identifier; raises `InvalidParam` if there is none.

    It is a look at the text and no check: ids from accepted events need none, others are checked where they come in.
    """
    _, colon, domain = text.partition(":")
    if not colon or not domain:
        raise InvalidParam(f"{text!r} has no domain")
    return ServerName(domain)


def _split(text: str, sigil: str) -> tuple[str, str | None]:
    if not text.startswith(sigil):
        return "", None
    localpart, colon, server = text[1:].partition(":")
    return localpart, server if colon else None


def _fits(text: str) -> bool:
    """Whether the text is valid Unicode of at most 255 bytes."""
    if len(text) > MAX_ID_BYTES:
        return False
    try:
        return len(text.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False
