"""Bodies that hold events: deeper and with larger numbers than other requests, as old room versions allow."""

import json
import re
from typing import Any

import orjson

from synapse_like.matrix.errors import BadJson, NotJson

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
"""The fast parser makes floats of integers beyond 64 bits."""


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises NotJson, BadJson.

    One event with half a surrogate must not harm the others of its transaction: it is refused later, by itself.
    """
    value = _slowly(raw) if _LONG_NUMBER.search(raw) else _quickly(raw)
    if not isinstance(value, dict):
        raise BadJson("The body must be a JSON object")
    return value


def _quickly(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _slowly(raw)


def _slowly(raw: bytes) -> Any:
    """JSON with integers of any size and half surrogates."""
    try:
        return json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotJson() from None


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
