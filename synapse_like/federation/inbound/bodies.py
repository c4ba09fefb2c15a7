"""Bodies that hold events: deeper and with larger numbers than other requests, as old room versions allow."""

import json
from typing import Any

import orjson

from synapse_like.matrix.errors import BadJson, NotJson


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises NotJson, BadJson."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _slowly(raw)
    if not isinstance(value, dict):
        raise BadJson("The body must be a JSON object")
    return value


def _slowly(raw: bytes) -> Any:
    """JSON with integers of any size."""
    try:
        return json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotJson() from None


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
