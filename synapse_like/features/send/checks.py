"""What a client may not send although the authorization rules would let it through."""

from collections.abc import Iterator, Mapping
from typing import Any

from synapse_like.matrix.errors import BadJson, Forbidden, InvalidParam
from synapse_like.matrix.globs import match_whole
from synapse_like.matrix.ids import is_valid_room_alias

CANONICAL_ALIAS = "m.room.canonical_alias"
SERVER_ACL = "m.room.server_acl"


def check_type(event_type: str) -> None:
    """Refuse types that only the server makes. Raises Forbidden."""
    if event_type == "m.room.create":
        raise Forbidden("A room is created once, by POST /createRoom")


def aliases_in(content: Mapping[str, Any]) -> Iterator[str]:
    """The aliases of an m.room.canonical_alias. Raises InvalidParam for what is none."""
    alias = content.get("alias")
    others = content.get("alt_aliases", [])
    if not isinstance(others, list):
        raise BadJson("alt_aliases must be a list")
    for candidate in ([] if alias in (None, "") else [alias]) + others:
        if not isinstance(candidate, str) or not is_valid_room_alias(candidate):
            raise InvalidParam(f"{candidate!r} is not a room alias")
        yield candidate


def check_server_acl(content: Mapping[str, Any], server_name: str) -> None:
    """Refuse an access list that shuts out this server itself. Raises Forbidden, BadJson."""
    host = server_name.rpartition(":")[0] if server_name.rpartition(":")[2].isdigit() else server_name
    allowed, denied = (list(_patterns(content, key)) for key in ("allow", "deny"))
    if any(match_whole(pattern)(host) for pattern in denied):
        raise Forbidden("This access list would deny this very server")
    if not any(match_whole(pattern)(host) for pattern in allowed):
        raise Forbidden("This access list would not allow this very server")


def _patterns(content: Mapping[str, Any], key: str) -> Iterator[str]:
    patterns = content.get(key, [])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise BadJson(f"{key} must be a list of server names")
    yield from patterns
