"""Reading the one-time and fallback keys that a client uploads: their form and their bounds."""

from typing import Any, Final

from synapse_like.features.one_time_keys.facts import MAX_UPLOADED, Key
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, TooLarge
from synapse_like.toolkit.http.texts import checked_text

MAX_STOCK: Final = 2000
"""How many keys of one algorithm a device may have."""
_MAX_NAME: Final = 255
_MAX_KEY_BYTES: Final = 8192


def parsed_keys(name: str, keys: dict[str, Any]) -> list[Key]:
    """The keys of a request: ``algorithm:key_id`` → a string or an object. Raises InvalidParam, TooLarge."""
    if len(keys) > MAX_UPLOADED:
        raise InvalidParam(f"{name} may hold at most {MAX_UPLOADED} keys")
    return [_parsed(name, full_id, value) for full_id, value in keys.items()]


def parsed_fallbacks(name: str, keys: dict[str, Any]) -> list[Key]:
    """The same for fallback keys, of which there may be one an algorithm. Raises InvalidParam, TooLarge."""
    found = parsed_keys(name, keys)
    if len({key.algorithm for key in found}) < len(found):
        raise InvalidParam(f"{name} may hold one key of an algorithm")
    return found


def _parsed(name: str, full_id: str, value: Any) -> Key:
    algorithm, colon, key_id = checked_text(f"The ID of a key in {name}", full_id, _MAX_NAME).partition(":")
    if not colon or not algorithm or not key_id:
        raise InvalidParam(f"{full_id!r} in {name} does not read algorithm:key_id")
    if not isinstance(value, str | dict):
        raise InvalidParam(f"{full_id!r} in {name} must be a string or an object")
    text = canonical_json(value)
    if len(text) > _MAX_KEY_BYTES:
        raise TooLarge(f"{full_id!r} in {name} is too large")
    return Key(algorithm, key_id, text.decode())
