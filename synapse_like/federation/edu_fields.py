"""Reading fields out of EDUs of other servers, which may hold anything. Raises BadJson or Forbidden."""

from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.errors import BadJson, Forbidden
from synapse_like.matrix.ids import is_valid_user_id
from synapse_like.rooms.hosts import server_of

MAX_ID_CHARACTERS = 255


def text(content: Mapping[str, Any], key: str, *, limit: int = MAX_ID_CHARACTERS) -> str:
    """A string of at most so many characters, without NUL."""
    value = content.get(key)
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise BadJson(f"{key} must be a string of at most {limit} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadJson(f"{key} is no valid text") from error
    return value


def flag(content: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
    """True or false."""
    value = content.get(key, default)
    if not isinstance(value, bool):
        raise BadJson(f"{key} must be true or false")
    return value


def whole_number(content: Mapping[str, Any], key: str) -> int:
    """A whole number that JSON of Matrix may hold."""
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**53) < value < 2**53:
        raise BadJson(f"{key} must be a whole number")
    return value


def user_of(origin: str, user_id: Any) -> str:
    """A user id for which the origin may speak: one of its own users."""
    if not isinstance(user_id, str) or not is_valid_user_id(user_id):
        raise BadJson("There is a user id that is none")
    if server_of(user_id) != origin:
        raise Forbidden("A server may only speak for its own users")
    return user_id
