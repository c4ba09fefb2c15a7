"""What a field of a profile may be called and what it may hold.

Source: client-server API, "Profiles" (v1.16); appendices, "Common Namespaced Identifier Grammar"; MSC4133.
"""

import re
from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import BadJson, InvalidParam, KeyTooLarge, MissingParam, ProfileTooLarge

DISPLAY_NAME = "displayname"
AVATAR = "avatar_url"
TIME_ZONE = "m.tz"

MAX_PROFILE_BYTES = 64 * 1024
MAX_KEY_BYTES = 255
MAX_DISPLAY_NAME_CHARACTERS = 256
MAX_AVATAR_CHARACTERS = 1000

_KEY = re.compile(r"[a-z][a-z0-9_.\-]*")


def check_key(key: str) -> None:
    """Check the name of a field. Raises KeyTooLarge, InvalidParam."""
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise KeyTooLarge()
    if _KEY.fullmatch(key) is None:
        raise InvalidParam("This is not the name of a profile field")


def value_in(body: Mapping[str, Any], key: str) -> Any:
    """The value that a request sets a field to; None removes a name or an avatar, as empty text does.

    Raises MissingParam, BadJson or InvalidParam.
    """
    if key not in body:
        raise MissingParam(f"{key} is missing")
    value = body[key]
    if key == DISPLAY_NAME:
        return _text(key, value, MAX_DISPLAY_NAME_CHARACTERS)
    if key == AVATAR:
        avatar = _text(key, value, MAX_AVATAR_CHARACTERS)
        if avatar is not None and not avatar.startswith("mxc://"):
            raise InvalidParam("avatar_url must be an mxc:// address")
        return avatar
    if key == TIME_ZONE and not isinstance(value, str):
        raise InvalidParam("m.tz must be the name of a time zone")
    return value


def check_size(profile: Mapping[str, Any]) -> None:
    """Check a whole profile. Raises ProfileTooLarge, or BadJson for a value that has no JSON form."""
    if len(canonical_json(dict(profile))) > MAX_PROFILE_BYTES:
        raise ProfileTooLarge()


def _text(key: str, value: object, limit: int) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadJson(f"{key} must be a string")
    if value is not None and len(value) > limit:
        raise InvalidParam(f"{key} may have no more than {limit} characters")
    if value is not None and "\0" in value:
        raise InvalidParam(f"{key} must not contain NUL")
    return value or None
