"""The two hashes of an event: of its content, and of its redacted form, which names it.

Here live the hashes of PDUs as dicts; signing is next door in `signatures`.
Source: Server-Server API, "Calculating the content hash for an event" and "Calculating the reference hash".
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.ids import EventID
from synapse_like.matrix.redaction import redact
from synapse_like.matrix.room_versions import EventFormat, RoomVersion

_NOT_HASHED = frozenset(("unsigned", "signatures", "hashes"))


def content_hash(pdu: Mapping[str, Any]) -> str:
    """The unpadded base64 SHA-256 of the whole PDU without `unsigned`, `signatures` and `hashes`."""
    hashed = {key: value for key, value in pdu.items() if key not in _NOT_HASHED}
    return b64encode(sha256(canonical_json(hashed)).digest()).rstrip(b"=").decode()


def has_valid_content_hash(pdu: Mapping[str, Any]) -> bool:
    """Whether `hashes.sha256` is the hash of the PDU; if not, the PDU is to be redacted before it is used."""
    hashes = pdu.get("hashes")
    claimed = hashes.get("sha256") if isinstance(hashes, dict) else None
    if not isinstance(claimed, str):
        return False
    return compare_digest(claimed.rstrip("=").encode(errors="replace"), content_hash(pdu).encode())


def signed_bytes(pdu: Mapping[str, Any], version: RoomVersion) -> bytes:
    """What the signatures of an event sign and its reference hash hashes: the redacted PDU without signatures."""
    redacted = redact(pdu, version)
    redacted.pop("signatures", None)
    return canonical_json(redacted)


def reference_hash(pdu: Mapping[str, Any], version: RoomVersion) -> bytes:
    """The SHA-256 of the redacted PDU: what references to the event are made of."""
    return sha256(signed_bytes(pdu, version)).digest()


def event_id_of_hash(digest: bytes, version: RoomVersion) -> EventID:
    """The event id that a reference hash makes in room version 3 (standard base64) or later (URL-safe)."""
    encode = b64encode if version.event_format is EventFormat.BASE64_ID else urlsafe_b64encode
    return EventID("$" + encode(digest).rstrip(b"=").decode())
