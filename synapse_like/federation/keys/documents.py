"""Key documents: what a server publishes about its keys, read with distrust.

Source: server-server API, "Retrieving server keys".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.federation.errors import BadServerSignature
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.signatures import verify_json
from synapse_like.matrix.signing_keys import VerifyKey

LONGEST_VALIDITY_MS: Final = 7 * 24 * 60 * 60 * 1000
"""However long a server says that its keys are valid, it is asked again after this."""

MOST_KEYS: Final = 100
MOST_BYTES: Final = 64 * 1024
MOST_SIGNATURES: Final = 20
LONGEST_KEY_ID: Final = 100
_LONGEST_NUMBER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A key of a server.

    `valid_until_ms` says until when it may have signed; of a key that was given up (`is_old`) that is for ever so.
    `document` is the canonical JSON that the key comes from, signed by its server, where that is of interest.
    """

    server: str
    key: VerifyKey
    valid_until_ms: int
    is_old: bool
    fetched_ms: int
    document: bytes = b""

    @property
    def name(self) -> tuple[str, str]:
        """Server and key id."""
        return self.server, self.key.key_id

    def is_valid_at(self, time_ms: int) -> bool:
        """Whether the key may have signed something at that time."""
        return time_ms <= self.valid_until_ms


class BadKeyDocument(BadServerSignature):
    """What claims to be a server's keys is malformed, or not signed by that server."""

    default_message = "The published keys of the server cannot be used"


def read_document(document: Any, server: str, now_ms: int) -> list[ServerKey]:
    """Return the keys in a document that is said to be the server's. Raises BadKeyDocument.

    It must name the server and hold a good signature by one of its current keys. Keys of other algorithms are passed
    over. Signatures of others (of the server that it was got from) are not looked at, and not kept.
    """
    if not isinstance(document, dict) or document.get("server_name") != server:
        raise BadKeyDocument(f"This is not a key document of {server}")
    valid_until_ms = _time(document.get("valid_until_ts"), "valid_until_ts")
    current = dict(_current_keys(document))
    own: Any = document.get("signatures")
    own = own.get(server) if isinstance(own, dict) else None
    if not isinstance(own, dict) or len(own) > MOST_SIGNATURES:
        raise BadKeyDocument(f"The key document of {server} is not signed by it")
    signed = [key for key_id, key in current.items() if key_id in own]
    if not any(verify_json(document, server, key) for key in signed):
        raise BadKeyDocument(f"The key document of {server} is not signed with one of its keys")
    text = canonical_json({**document, "signatures": {server: own}})
    if len(text) > MOST_BYTES:
        raise BadKeyDocument(f"The key document of {server} is larger than {MOST_BYTES} bytes")
    until_ms = min(valid_until_ms, now_ms + LONGEST_VALIDITY_MS)
    keys = [ServerKey(server, key, until_ms, False, now_ms, text) for key in current.values()]
    for key, expired_ms in _old_keys(document):
        if key.key_id not in current:
            keys.append(ServerKey(server, key, min(expired_ms, now_ms), True, now_ms, text))
    return keys


def _current_keys(document: Mapping[str, Any]) -> Iterator[tuple[str, VerifyKey]]:
    for key_id, entry in _entries(document, "verify_keys"):
        yield key_id, _key(key_id, entry)


def _old_keys(document: Mapping[str, Any]) -> Iterator[tuple[VerifyKey, int]]:
    for key_id, entry in _entries(document, "old_verify_keys"):
        yield _key(key_id, entry), _time(entry.get("expired_ts"), "expired_ts")


def _entries(document: Mapping[str, Any], field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = document.get(field, {})
    if not isinstance(entries, dict) or len(entries) > MOST_KEYS:
        raise BadKeyDocument(f"{field} must be an object of at most {MOST_KEYS} keys")
    for key_id, entry in entries.items():
        if not isinstance(entry, dict) or len(key_id) > LONGEST_KEY_ID:
            raise BadKeyDocument(f"{field} holds something that is no key")
        if key_id.startswith("ed25519:"):
            yield key_id, entry


def _key(key_id: str, entry: Mapping[str, Any]) -> VerifyKey:
    text = entry.get("key")
    if not isinstance(text, str):
        raise BadKeyDocument(f"{key_id} has no key")
    try:
        return VerifyKey.from_base64(key_id, text)
    except (MatrixError, ValueError) as error:
        raise BadKeyDocument(str(error)) from error


def _time(value: Any, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LONGEST_NUMBER:
        raise BadKeyDocument(f"{field} must be a time in milliseconds")
    return value
