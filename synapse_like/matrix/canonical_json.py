"""Canonical JSON: the one byte string of a JSON value that is hashed and signed.

Here lives the encoding and the strict check of values; what is hashed or signed of an event is told in `hashes` and
`signatures`. Source: Appendices, "Canonical JSON".
"""

from __future__ import annotations

import json
from typing import Any

import canonicaljson
import msgspec
import orjson

from synapse_like.matrix.errors import UnsafeValue

MAX_DEPTH = 250
"""How deep objects and lists may be nested; orjson writes no more than 254 levels."""

MAX_INTEGER = 2**53 - 1
"""The largest magnitude of an integer in room versions 6 and later."""

_decode = msgspec.json.Decoder().decode


def parsed(text: str) -> Any:
    """The value of an event's JSON, integers of any length included; ValueError if it is none.

    What only the slow parser takes (half surrogates, infinite numbers) was allowed in old rooms.
    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of a value, as canonicaljson writes them.

    Floats and integers of any size are written too, since events of room versions 1 to 5 may hold them. Raises
    `UnsafeValue` for what has no JSON form at all: NaN, lone surrogates, other types, nesting beyond `MAX_DEPTH`.
    """
    if _is_plain(value, MAX_DEPTH):
        try:
            return compact(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        except orjson.JSONEncodeError:
            pass  # an integer beyond 64 bits, a key that is no string, or a lone surrogate
    return _with_canonicaljson(value)


def compact(written: bytes) -> bytes:
    """The same bytes in no more memory than they need, for those that are kept.

    orjson hands out the buffer that it wrote to, which is at least 4 KiB long whatever is in it.
    """
    return bytes(memoryview(written))


def _is_plain(value: Any, levels: int) -> bool:
    """Whether the value holds only types that orjson writes as canonicaljson does: no floats, no subclasses."""
    kind = value.__class__
    if kind is dict:
        items = value.values()
    elif kind is list:
        items = value
    else:
        return kind is str or kind is int or kind is bool or value is None
    if levels == 0:
        raise UnsafeValue("The JSON is nested too deeply")
    for item in items:
        kind = item.__class__
        if kind is not str and kind is not int and not _is_plain(item, levels - 1):
            return False
    return True


def _with_canonicaljson(value: Any) -> bytes:
    try:
        encoded: bytes = canonicaljson.encode_canonical_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsafeValue(f"The value cannot be written as canonical JSON: {error}") from error
    return encoded


def check_canonical(value: Any) -> None:
    """Raise `UnsafeValue` unless the value obeys the strict rules of room versions 6 and later.

    Those are: no floats, integers within ±(2^53-1), keys that are strings, valid Unicode; and, as our own rule,
    nesting of at most `MAX_DEPTH` levels.
    """
    if _is_plain(value, MAX_DEPTH):
        try:
            orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
            return
        except orjson.JSONEncodeError:
            pass  # something is wrong: the walk below says what
    _walk_strictly(value, MAX_DEPTH)


def _walk_strictly(value: Any, levels: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise UnsafeValue("The JSON holds an integer beyond 2^53-1")
    elif levels == 0:
        raise UnsafeValue("The JSON is nested too deeply")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise UnsafeValue("The JSON has a key that is no string")
            _check_text(key)
            _walk_strictly(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _walk_strictly(item, levels - 1)
    else:
        raise UnsafeValue(f"The JSON holds a value of type {type(value).__name__}, which is not allowed")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnsafeValue("The JSON holds a lone surrogate") from None
