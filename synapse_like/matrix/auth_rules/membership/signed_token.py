"""The proof in a third-party invite: the `signed` object, and whether one of the invite's keys has signed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, UnsafeValue
from synapse_like.matrix.signing_keys import VerifyKey, decode_base64

MAX_ATTEMPTS = 1_000
"""The most pairs of signature and key that are tried, so that an event made for it cannot stop the server."""


def is_signed_by_any(signed: Mapping[str, Any], public_keys: Sequence[str]) -> bool:
    """Whether any Ed25519 signature in the object, whoever it is said to be of, was made by any of the keys.

    `public_keys` are in base64; keys and signatures that cannot be decoded are passed over.
    """
    try:
        message = canonical_json({key: value for key, value in signed.items() if key not in ("signatures", "unsigned")})
    except UnsafeValue:
        return False
    keys = [key for text in public_keys if (key := _key_or_none(text)) is not None]
    attempts = ((key, signature) for signature in _signatures(signed) for key in keys)
    return any(key.verifies(message, signature) for key, signature in islice(attempts, MAX_ATTEMPTS))


def _signatures(signed: Mapping[str, Any]) -> Iterator[bytes]:
    by_server = signed.get("signatures")
    for by_key in by_server.values() if isinstance(by_server, dict) else ():
        for key_id, signature in by_key.items() if isinstance(by_key, dict) else ():
            if key_id.startswith("ed25519:") and isinstance(signature, str):
                try:
                    yield decode_base64(signature)
                except InvalidParam:
                    continue


def _key_or_none(text: str) -> VerifyKey | None:
    try:
        return VerifyKey.from_base64("ed25519:0", text)
    except InvalidParam:
        return None
