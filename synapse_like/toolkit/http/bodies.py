"""From the bytes of a request's body to what the endpoint declares: any JSON object, or a struct."""

from array import array
from functools import cache
from itertools import accumulate
from typing import Any, Final

import msgspec

from synapse_like.matrix.errors import BadJson, NotJson
from synapse_like.toolkit.http.endpoint import BodyType, Endpoint

MAX_DEPTH: Final = 100
"""How deep objects and lists may be nested; events of real clients stay below 20."""

_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def decode_body(raw: bytes, endpoint: Endpoint) -> Any:
    """Return the body as the endpoint wants it; an empty ``dict`` if it wants none.

    Raises NotJson (not UTF-8, not JSON, or nothing at all where something is needed) or BadJson (nested too deep,
    or of another shape: the message names the field).
    """
    if endpoint.body is None:
        return {}
    if not raw and endpoint.allows_empty_body:
        raw = b"{}"
    if is_too_deep(raw):
        raise BadJson("The JSON is nested too deep")
    try:
        return _decoder(endpoint.body).decode(raw)
    except msgspec.ValidationError as error:
        _check_json(raw)
        raise BadJson(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotJson() from None


def _check_json(raw: bytes) -> None:
    """Raise NotJson for what is no JSON at all: the decoder of a struct may complain about its shape first."""
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotJson() from None


def is_too_deep(raw: bytes) -> bool:
    """Return whether a JSON text is nested deeper than allowed, in time linear in its length and without decoding it.

    Brackets in strings do not count. Of a text that is no JSON, either answer is right.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")  # what quotes are left begin and end strings
    between_strings = b"".join(raw.split(b'"')[::2])
    steps = array("b", between_strings.translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > MAX_DEPTH


@cache
def _decoder(body: BodyType) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(body)
